// Package score turns the answers to a question into a figure that says how
// sure it is.
//
// A [Tally] counts the answers to one question of one survey, by value. It is
// the state of every figure: NPS, mean, share of good ratings, their intervals
// and comparisons follow from the counts alone, so that adding answers one by
// one, merging tallies of shops or months, and counting everything at once give
// the same figures to the last bit. Tallies of different questions, scales or
// programs cannot be merged or compared: the error matches [ErrPooled].
//
// Every [Score] carries its interval and says whether there were enough
// answers; with fewer its String shows no figure.
package score
