// Package text finds out what comments are about, in Chinese and English, and
// takes personal data out of them.
//
// [Mask] replaces phone numbers, mail addresses, identity and bank card
// numbers, messenger accounts, names with a title and street addresses before a
// comment is stored. [Rules] tag a comment with topics and aspects; every
// [Mention] carries its evidence: the span of the text that matched and the
// clause around it, with the clause's sentiment. A [Scorer] gives that
// sentiment: [Lexicon] by built-in words, [Bayes] trained on the user's own
// labelled comments. A [Segmenter] cuts text into words for both.
//
// The three interfaces are small, so that a model of the user's own fits in.
// All spans are byte offsets into the text given. Everything here is
// deterministic and safe for concurrent use.
package text
