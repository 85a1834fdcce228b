package journey

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// StateFigures say how a state works: what it takes of the customers' time, and
// what they say about it.
type StateFigures struct {
	// Entered counts visits, Now the instances that stand there, Left the visits
	// that are over.
	Entered, Now, Left int
	// Median and Longest are of the visits that are over, by the nearest rank;
	// Waiting is how long the one has been there that stands there longest.
	Median, Longest, Waiting time.Duration
	// Metric is what the definition says measures the state's experience, Score
	// what [Counts.Measure] was told; without answers there is none.
	Metric string
	Score  Score
}

// Score is a measure of experience, such as the NPS of answers that name the
// state, with the interval that it lies in.
type Score struct {
	Value, Low, High float64
	// Answers is how many it rests on.
	Answers int
}

// String is the score with its margin: "31 (25 to 38), 412 answers".
func (s Score) String() string {
	if s.Answers == 0 {
		return "no answers"
	}
	number := func(v float64) string { return strings.Replace(fmt.Sprint(math.Round(10*v)/10), "-", "−", 1) }
	text := number(s.Value)
	if s.Low != 0 || s.High != 0 {
		text += fmt.Sprintf(" (%s to %s)", number(s.Low), number(s.High))
	}
	return text + ", " + plural(s.Answers, "answer", "answers")
}

// Measure puts the experience beside the operation: the function gives the score
// of the answers that name a state, for the metric that the definition gives it,
// and false where there is none.
func (c *Counts) Measure(d *Definition, score func(metric, state string) (Score, bool)) {
	for i := range d.states {
		s := d.states[i].spec
		if s.Metric == "" {
			continue
		}
		f := c.States[s.Name]
		f.Metric = s.Metric
		if found, ok := score(s.Metric, s.Name); ok {
			f.Score = found
		}
		c.States[s.Name] = f
	}
}

// stays follows instances through their states.
type stays struct {
	at    map[string]stay // by instance
	spent map[string][]time.Duration
	count map[string]int
}

type stay struct {
	state string
	since time.Time
}

func newStays() *stays {
	return &stays{map[string]stay{}, map[string][]time.Duration{}, map[string]int{}}
}

// move notes that an instance has left a state, entered one, or both.
func (s *stays) move(instance, to string, at time.Time) {
	if was, ok := s.at[instance]; ok {
		s.spent[was.state] = append(s.spent[was.state], at.Sub(was.since))
		delete(s.at, instance)
	}
	if to != "" {
		s.at[instance] = stay{to, at}
		s.count[to]++
	}
}

// follow reads a line of history; remains says whether an edge stays in its state.
func (s *stays) follow(r *Record, remains func(*Record) (bool, error)) error {
	switch {
	case r.Kind == OperatorRecord && r.From != "" && r.From != r.To: // redirected, migrated or ended from outside
		s.move(r.Instance, r.To, r.At)
	case r.Kind == MovedRecord:
		stays, err := remains(r)
		if err != nil {
			return err
		}
		if !stays {
			s.move(r.Instance, r.To, r.At)
		}
	}
	return nil
}

// figures puts together what was followed.
func (s *stays) figures(states map[string]StateFigures) {
	for state, n := range s.count {
		f := states[state]
		f.Entered = n
		states[state] = f
	}
	for state, spent := range s.spent {
		slices.Sort(spent)
		f := states[state]
		f.Left, f.Median, f.Longest = len(spent), spent[(len(spent)-1)/2], spent[len(spent)-1]
		states[state] = f
	}
}

// Counts are live figures of a journey, for diagrams and reports.
type Counts struct {
	// Started and Active count instances of every version.
	Started, Active int
	// At is how many stand in each state now.
	At map[string]int
	// Ends is how many ended with each outcome.
	Ends map[string]int
	// Passed is how often each edge of the current version was taken.
	Passed map[int]int
	// Sent is how many messages were confirmed, by template and channel.
	Sent map[string]map[string]int
	// States are figures of every state that somebody was in.
	States map[string]StateFigures
}

// Counts adds up a journey. Cost: it reads all its instances and history, and
// holds a duration for each visit to a state.
func (e *Engine) Counts(ctx context.Context, journey string) (Counts, error) {
	c := Counts{At: map[string]int{}, Ends: map[string]int{}, Passed: map[int]int{}, Sent: map[string]map[string]int{}, States: map[string]StateFigures{}}
	version := ""
	if d := e.Definition(journey); d != nil {
		version = d.Version()
	}
	remains := func(r *Record) (bool, error) {
		if r.From == "" || r.From != r.To {
			return false, nil
		}
		d, err := e.version(ctx, DefinitionKey{r.Journey, r.Version})
		return err == nil && r.Edge < len(d.edges) && d.edges[r.Edge].to < 0, err
	}
	visits := newStays()
	for r, err := range e.History(ctx, Filter{Journey: journey}) {
		if err != nil {
			return Counts{}, err
		}
		switch {
		case r.Kind == MovedRecord && r.Version == version:
			c.Passed[r.Edge]++
		case r.EffectKind == MessageEffect && r.State == Confirmed:
			if c.Sent[r.Name] == nil {
				c.Sent[r.Name] = map[string]int{}
			}
			c.Sent[r.Name][r.Decision.Channel]++
		}
		if err := visits.follow(&r, remains); err != nil {
			return Counts{}, err
		}
	}
	visits.figures(c.States)
	now := e.now()
	for row, err := range e.Instances(ctx, Filter{Journey: journey}) {
		if err != nil {
			return Counts{}, err
		}
		in := &row.Instance
		c.Started++
		if in.Status == Ended {
			c.Ends[in.Outcome]++
			continue
		}
		c.Active++
		c.At[in.State]++
		f := c.States[in.State]
		f.Now, f.Waiting = f.Now+1, max(f.Waiting, now.Sub(in.EnteredAt))
		c.States[in.State] = f
	}
	if d := e.Definition(journey); d != nil {
		c.Measure(d, func(string, string) (Score, bool) { return Score{}, false })
	}
	return c, nil
}
