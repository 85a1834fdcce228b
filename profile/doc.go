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
// People decide beside the evidence: [Directory.Link], [Directory.Separate],
// [Directory.Unlink], [Directory.Retract], [Directory.Release] and their
// opposites are exact: every profile concerned is what a full fold of what still
// stands would make it. [Directory.Erase] lasts through replays in any order.
// [Directory.Explain] says why two identifiers are one customer's, or why not;
// [Directory.Preview] what a decision, or other [Rules], would merge and split,
// and [Directory.Reconfigure] puts all that was seen under other rules.
//
// What happens is told by the change feed ([Directory.Changes]), whose rows
// carry keys and no payload.
//
// A zero [Config] keeps the directory in memory. With a [Store] it lives outside
// the process, and several processes may share it.
package profile
