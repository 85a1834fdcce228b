// Package intake turns files into profile events and hands them to a
// directory, or to whatever else takes events in batches.
//
// A [Mapping] says what the columns of a CSV file, or the fields of a file of
// JSON lines, mean: which are identifiers, traits, properties, the time, the
// order. It is a Go value and, with a format version, JSON ([ParseMapping]).
// Every row yields the events whose conditions it meets; rows that belong
// together (the lines of one order) are first grouped into one record.
//
// An [Importer] made with [New] runs it:
//
//   - [Importer.DryRun] reads everything and writes nothing: the [Report] says
//     what would be written and which rows would be rejected.
//   - [Importer.Import] hands over batch by batch. A broken row is rejected with
//     its line and a reason that repeats nothing of its content, the row itself
//     goes to [Input].Rejects, and the rest goes through.
//   - After each batch [Input].Save gets a [Checkpoint]. A later run continues
//     from it once it has verified that the input up to there is the same.
//   - Event IDs follow from the content, or from a column, never from chance or
//     the place in the file: whatever is imported twice is a duplicate to the sink.
//   - Whether the events are live or fill in history must be said: [Mapping].Mode.
//
// In place of a mapping, a [Spec] takes messages of the Segment spec: from files
// of one message or batch a line, or body by body with [Importer.Receive].
//
// Input is UTF-8. Another encoding, such as GBK, is the caller's to convert,
// and the error says so. A header that does not fit the mapping stops the run
// before anything is written.
//
// Money is read digit by digit into minor units, never through a float. Local
// times are those of a named zone: a time that the zone skips moves forward by
// the gap, one that occurs twice is the first.
package intake
