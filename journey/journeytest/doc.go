// Package journeytest tests journeys the way they are told: this customer does
// that, so long after this message goes out, and that one does not.
//
// A [Scenario] runs the real engine in virtual time on a memory store, without a
// sleep: a year takes milliseconds. Expectations are exact to the microsecond;
// a failing one prints the customer's timeline and why. [Scenario.Branch] asks
// what would have happened otherwise, in a copy of the world.
//
// [TestStore] is the conformance suite of [journey.Store].
package journeytest
