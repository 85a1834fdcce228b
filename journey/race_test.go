//go:build race

package journey_test

// The race detector slows everything down tenfold.
const raceEnabled = true
