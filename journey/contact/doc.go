// Package contact decides whether, when and on which channel a message may go
// out to a customer.
//
// It is a pure function: a [Policy] × the customer's contact [Row] × a [Message]
// × now gives a [Decision] and the row to store. It reads no clock and does no
// I/O, so that every rule can be tested as a table and a journey's engine can
// commit the decision together with the message's change of state.
//
// A message is asked about when it is about to go out, not when it was planned.
// In this order it needs
//
//   - need: the goal is not met yet, [Message.NotAfter] has not passed, every
//     variable of the template has a value;
//   - permission, per channel: consent for purpose, channel and brand; a follower
//     or an open reply window where the channel asks for one; a message credit
//     where it uses those up;
//   - the moment: no quiet hours, no blackout date, in the customer's local time;
//   - pressure: no cap reached, rolling or calendar, on the channel, the category,
//     the brand or over all.
//
// Without permission on the first channel the next one of the message is asked
// ([Fallback]). Wrong moment and pressure put the message off ([Defer]) unless
// that takes longer than [Policy.MaxDefer] or runs past NotAfter; then the next
// channel is asked. Where nothing remains the message is given up ([Suppress]).
//
// [Allow] and [Fallback] reserve: the row returned has the message counted
// against the caps and its credit taken. [Row.Settle] makes the reservation
// final or, when the channel has refused the message, takes it back.
package contact
