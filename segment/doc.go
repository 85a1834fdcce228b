// Package segment answers which audience a customer belongs to, at every
// instant and for a stated reason.
//
// A segment is a named [Rule] ([Definition]). Rules are Go values: [All], [Any]
// and [Not] over tests of attributes ([Attr]), of behavior over windows
// ([Events], [Orders], [NetOrders]), of relations ([Related]), of other segments
// ([In]) and of the caller's own ([Func]).
//
// An [Engine] follows a change feed, such as that of profile.Directory, and
// keeps the members: a membership changes with the event that changes it, and
// lapses at its true instant. Each change is a [Transition] in a feed with a
// cursor. A [View] answers live questions, [Engine.Explain] says why.
//
// # Time
//
// A rule is evaluated at an instant t over what has happened by t. A window of
// d reaches over (t−d, t]: what happened exactly d ago is out. Rolling windows
// ([Days], [Last]) count elapsed time, a day being 24 hours; calendar windows
// ([This], [Recent], [Previous]) begin where days, weeks and months begin in the
// zone of the definition. All is exact to the microsecond. Traits have no past:
// they are taken as they stand.
//
// # Evaluators
//
// The engine evaluates incrementally, and [Engine.Select] over all customers at
// once, on an index of sets and bit planes that [Engine.Plan] explains. [Ruleset] evaluates the data of one
// customer, and [Ruleset.Recount] does so by definition, slowly. They agree to
// the member, and package segmenttest makes each test of a rule ask them all.
//
// # Audiences
//
// [Engine.Prepare] makes a question ready that is asked again and again. Its
// answer is an [Audience]: an immutable set to combine, count, page through,
// sample, split for experiments ([SampleRatio] checks them) and export.
// [Engine.Memory] tells what the index takes.
//
// # Speed
//
// Questions over all customers are bound by memory and by the instruction that
// counts bits, for which Go looks at each use whether the processor has it: what
// is built with GOAMD64=v2 or v3 counts two sets of ten million in 62 µs instead
// of 81.
//
// # Restart
//
// With a [Store] an engine survives a restart: [Resume] goes on from the last
// checkpoint and gives exactly the transitions of an uninterrupted run.
package segment
