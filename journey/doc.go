// Package journey decides what should happen to a customer next, and makes it
// happen exactly once: welcome a member, remind of a cart, say sorry for a late
// parcel, win back who stayed away.
//
// The model:
//
//   - A [Definition] is built in Go with [Define], or read from JSON with
//     [Parse]. Build refuses what cannot work: dead ends, loops without time,
//     waits without an end, messages without a purpose.
//   - An [Instance] is one customer's way through it, told apart by a
//     correlation key such as the cart or order.
//   - [Definition.Step] is a pure function: instance × [Input] × now gives the
//     next instance and [Effect] values. Everything else drives it.
//   - An [Engine] keeps instances, history and the outbox of effects in a
//     [Store]. [Engine.Ingest] takes what happens, [Engine.RunDue] does what is
//     due; each writes all of its consequences in one commit.
//   - Before a message goes out, the policy of package contact is asked:
//     consent, need, quiet hours, caps, credits. It allows, defers, falls back
//     to another channel, or suppresses, and says why.
//   - An effect is pending, then leased, then confirmed, rejected or uncertain.
//     Request and key are stored before the call. On a channel that honors keys
//     no message goes out twice and none is lost; on one that does not, none
//     goes out twice and the uncertain ones are listed for a person.
//   - What fails is tried again and then given up, to be looked at: see
//     [Engine.Unsettled], [Engine.Stuck], [Engine.Park]. What is old is removed by
//     [Engine.Purge].
//   - Package journeytest tells journeys as scenarios in virtual time.
//
// Time is the caller's: sweeps take it as an argument, and a wait is over at its
// own instant however late the sweep. Backfilled input moves state and sends
// nothing.
package journey
