package journey

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Comparison sets two simulations of the same history side by side.
type Comparison struct {
	A, B Simulated
	// OnlyA and OnlyB are messages that but one of them sends; Both counts those
	// to the same customer, of the same template and channel, at the same time.
	OnlyA, OnlyB []SimulatedMessage
	Both         int
}

// Compare runs two simulations over one history, which is held in memory.
func Compare(ctx context.Context, a, b *Simulator, history iter.Seq2[Input, error]) (Comparison, error) {
	var kept []Input
	for x, err := range history {
		if err != nil {
			return Comparison{}, err
		}
		kept = append(kept, x)
	}
	replay := func(yield func(Input, error) bool) {
		for _, x := range kept {
			if !yield(x, nil) {
				return
			}
		}
	}
	var c Comparison
	var err error
	if c.A, err = a.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	if c.B, err = b.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	key := func(m SimulatedMessage) SimulatedMessage {
		return SimulatedMessage{Customer: m.Customer, Template: m.Template, Channel: m.Channel, At: m.At}
	}
	inB := map[SimulatedMessage]int{}
	for _, m := range c.B.Messages {
		inB[key(m)]++
	}
	for _, m := range c.A.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.Both++
		} else {
			c.OnlyA = append(c.OnlyA, m)
		}
	}
	for _, m := range c.B.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.OnlyB = append(c.OnlyB, m)
		}
	}
	return c, nil
}

// String is a table for people: the figures of A and B with the difference, and
// below it how many messages are the same and who is reached by one alone. What is 0
// on both sides is left out.
func (c Comparison) String() string {
	t := table{{"", "A", "B", "B − A"}}
	t.row("customers reached", c.A.reached(), c.B.reached())
	for _, name := range union(c.A.Journeys, c.B.Journeys) {
		j, k := orZero(c.A.Journeys[name]), orZero(c.B.Journeys[name])
		t.row(name+": started", j.Started, k.Started)
		t.row("  messages", j.Sent, k.Sent)
		t.row("  their cost", int(j.Cost), int(k.Cost))
		t.row("  followed by the goal", j.Followed, k.Followed)
		if j.Followed+k.Followed > 0 {
			t = append(t, [4]string{"  of messages", percent(j.Followed, j.Sent), percent(k.Followed, k.Sent)})
		}
		for _, r := range union(j.Deferred, k.Deferred) {
			t.row("  deferred: "+string(r), j.Deferred[r], k.Deferred[r])
		}
		for _, r := range union(j.Dropped, k.Dropped) {
			t.row("  dropped: "+string(r), j.Dropped[r], k.Dropped[r])
		}
		for _, a := range union(j.Actions, k.Actions) {
			t.row("  "+a, j.Actions[a], k.Actions[a])
		}
		for _, end := range union(j.Ends, k.Ends) {
			t.row("  ended: "+end, j.Ends[end], k.Ends[end])
		}
		t.row("  open", j.Open, k.Open)
	}
	return t.String() + fmt.Sprintf("%s in both, %s only in A, %s only in B\n%s reached only by A, %s only by B",
		plural(c.Both, "message", "messages"), grouped(len(c.OnlyA)), grouped(len(c.OnlyB)),
		plural(c.A.reachedBeside(c.B), "customer", "customers"), grouped(c.B.reachedBeside(c.A)))
}

// table is text in columns, numbers to the right.
type table [][4]string

func (t *table) row(label string, a, b int) {
	if a != 0 || b != 0 {
		*t = append(*t, [4]string{label, grouped(a), grouped(b), signed(b - a)})
	}
}

func (t table) String() string {
	var widths [4]int
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t {
		line := fmt.Sprintf("%-*s  %*s  %*s  %*s", widths[0], row[0], widths[1], row[1], widths[2], row[2], widths[3], row[3])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func orZero(j *SimulatedJourney) *SimulatedJourney {
	if j == nil {
		return &SimulatedJourney{}
	}
	return j
}

// union are the keys of both, sorted.
func union[K cmp.Ordered, V any](a, b map[K]V) []K {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

func signed(n int) string {
	switch {
	case n > 0:
		return "+" + grouped(n)
	case n < 0:
		return "−" + grouped(-n)
	}
	return "="
}

func percent(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of))
}
