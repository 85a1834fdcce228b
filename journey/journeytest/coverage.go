package journeytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cxkit/cxkit/journey"
)

// Coverage gathers which states of journeys were entered and which edges taken,
// over scenarios and explorations. The zero Coverage is empty. It is safe for concurrent use.
type Coverage struct {
	mu       sync.Mutex
	journeys map[string]*covered // by version
}

type covered struct {
	definition *journey.Definition
	taken      map[int]int
}

// entered are the states that some taken edge leads to.
func (j *covered) entered() map[string]bool {
	out := map[string]bool{}
	for _, e := range j.definition.Edges() {
		if j.taken[e.ID] > 0 {
			out[e.To] = true
		}
	}
	return out
}

func (c *Coverage) add(d *journey.Definition, edge int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.journeys == nil {
		c.journeys = map[string]*covered{}
	}
	j := c.journeys[d.Version()]
	if j == nil {
		j = &covered{d, map[int]int{}}
		c.journeys[d.Version()] = j
	}
	if edge >= 0 {
		j.taken[edge]++
	}
}

// Missed lists the states that were never entered and the edges that were never
// taken, in words, by journey.
func (c *Coverage) Missed() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]string{}
	for _, j := range c.journeys {
		entered, name := j.entered(), j.definition.Name()
		for _, state := range j.definition.States() {
			if !entered[state] {
				out[name] = append(out[name], "state "+state)
			}
		}
		for _, e := range j.definition.Edges() {
			if j.taken[e.ID] > 0 {
				continue
			}
			from, to := e.From, e.To
			switch {
			case e.End != "":
				from, to = "anywhere", e.End
			case from == "":
				from = "start"
			}
			out[name] = append(out[name], fmt.Sprintf("%s → %s (%s)", from, to, e.Label))
		}
	}
	return out
}

// Require fails the test where less than a percentage of all states was entered,
// or of all edges taken.
func (c *Coverage) Require(t testing.TB, percent int) {
	t.Helper()
	taken, edges, entered, states := 0, 0, 0, 0
	c.mu.Lock()
	for _, j := range c.journeys {
		edges += len(j.definition.Edges())
		taken += len(j.taken)
		states += len(j.definition.States())
		reached := j.entered()
		for _, state := range j.definition.States() {
			if reached[state] {
				entered++
			}
		}
	}
	c.mu.Unlock()
	if taken*100 < percent*edges || entered*100 < percent*states {
		t.Errorf("%d of %d states were entered and %d of %d edges taken, %d %% are required; missed:\n%s", entered, states, taken, edges, percent, c)
	}
}

// String lists what was missed, a line each.
func (c *Coverage) String() string {
	var b strings.Builder
	missed := c.Missed()
	for _, name := range slices.Sorted(maps.Keys(missed)) {
		for _, m := range missed[name] {
			fmt.Fprintf(&b, "  %s: %s\n", name, m)
		}
	}
	return b.String()
}

// Cover gathers the edges that this scenario and its branches take, when the
// test is over.
func (s *Scenario) Cover(c *Coverage) *Scenario {
	s.stage.coverage = c
	s.t.Cleanup(func() { s.cover() })
	return s
}

// cover adds the world of a scenario or branch that is over.
func (s *Scenario) cover() {
	c := s.stage.coverage
	if c == nil {
		return
	}
	byVersion := map[string]*journey.Definition{}
	for _, d := range s.world.plan.journeys {
		byVersion[d.Version()] = d
		c.add(d, -1)
	}
	for id := range s.stage.people {
		records, err := s.world.records(id)
		if err != nil {
			s.t.Errorf("%v", err)
			return
		}
		for _, r := range records {
			if d := byVersion[r.Version]; d != nil && r.Kind == journey.MovedRecord {
				c.add(d, r.Edge)
			}
		}
	}
}
