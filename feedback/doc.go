// Package feedback asks customers what they think and keeps what they say.
//
// A [Survey] is a list of questions, each on an explicit scale. A [Request]
// names an occasion on which a customer might be asked: an order received, a
// case closed. [Collector.Invite] decides, with reasons, whether to ask: how
// often this survey may ask (cadence), how often all surveys together may
// ([Budget]), who is left out for now ([Survey.Exclude], whose share is
// reported by [Collector.Coverage]), and which occasions fall in the sample. An
// invitation that is granted is reserved in the same commit, so that two
// occasions at once never both spend the last one. [Collector.Record] keeps the
// [Response] with the order, outlet, product and journey step that it is about.
//
// Invitations and responses are identified by the caller: the same ID with the
// same content gives the first result again, with other content
// [ErrMismatch]. History is loaded with [profile.Backfill]: it is kept and
// counted, and never invites anyone.
//
// Relational NPS (how is the brand, asked by the calendar) and transactional
// NPS (how was this purchase) are different instruments. A survey says which
// it is, and nothing in this package or in score adds the two up.
//
// The subpackages: score turns responses into figures with intervals, charts and
// drivers, care runs the cases that follow from them, text finds topics in
// comments and takes personal data out of them.
package feedback
