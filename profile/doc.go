// Package profile answers who a customer is.
//
// Sources report events: identifiers seen together, what was done, what is
// known since. A [Directory] keeps each distinct set of identifiers as a record
// of evidence, and folds the evidence into profiles:
//
//   - evidence is folded in the order of its first sight (by event time, never
//     by arrival), then of its key;
//   - within one, linking identifiers are sorted by the priority of their
//     [Kind], then by value: the first is the root, to whose profile the evidence
//     belongs, and each further one joins that profile or is refused;
//   - a link is refused where the profile would exceed a limit, or where a
//     person declared the two to be apart. Refusals are part of the answer.
//
// So the customers, their traits and counters are a function of the set of
// events: any order and any duplication of them yields the same. A late event
// may therefore split a profile, and a former ID always resolves to where its
// evidence is now.
//
// What happens is told by the change feed ([Directory.Changes]), whose rows
// carry keys and no payload.
package profile
