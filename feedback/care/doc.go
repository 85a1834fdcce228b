// Package care runs service cases: complaints, returns, exchanges, repairs,
// requests.
//
// A [Case] is opened ([Desk.Open]) and acted upon ([Desk.Act]); its [Flow] says
// which verbs its state allows. A [Policy] gives it clocks: a [Target] such as
// "first response within four working hours" runs over a business [Calendar]
// with split shifts, holidays and make-up workdays, stands while the customer is
// asked (phase [Paused]), and lapses at an exact instant. What is over by time
// is over at its instant: [Desk.RunDue] only announces it.
//
// Every transition, escalation and broken promise is a [Notice], committed with
// the case and then given to [Config.Notify] at least once, under an ID that
// never changes, so that a journey can keep the customer informed.
//
// Cases are identified by the caller: the same ID with the same content gives
// the first result again, with other content [ErrMismatch]. A case opened with
// [profile.Backfill] has no clocks, and its notices say where it came from.
package care
