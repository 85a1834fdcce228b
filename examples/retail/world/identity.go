package world

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// cluster is a part of a person that identifiers tie together.
type cluster struct {
	person int32
	events int
}

// resolve finds the clusters: the best that any resolver could do, with
// perfect judgement over identifiers that several persons use. A number whose
// change of owner is reported counts as two. It does nothing where the
// clusters are known.
func (t *Truth) resolve() {
	t.resolving.Lock()
	defer t.resolving.Unlock()
	if !t.stale {
		return
	}
	t.stale, t.clusters = false, nil
	type owned struct {
		person int32
		key    profile.Identifier
	}
	const several = -2
	owners := map[profile.Identifier]int32{}
	nodes := map[owned]int32{}
	var parent []int32
	find := func(x int32) int32 {
		for parent[x] != x {
			parent[x] = parent[parent[x]]
			x = parent[x]
		}
		return x
	}
	epoch := func(r *record, k profile.Identifier) profile.Identifier {
		if k.Kind == KindPhone {
			if since, ok := t.reassigned[k.Value]; ok && !r.time.Before(since) {
				k.Value += "#2"
			}
		}
		return k
	}
	root := make([]int32, len(t.records))
	for i := range t.records {
		r := &t.records[i]
		root[i] = -1
		if r.person < 0 {
			continue
		}
		for _, k := range r.keys {
			k = epoch(r, k)
			if who, ok := owners[k]; !ok {
				owners[k] = r.person
			} else if who != r.person {
				owners[k] = several
			}
			if t.special[k]&SharedTablet != 0 {
				continue
			}
			n, ok := nodes[owned{r.person, k}]
			if !ok {
				n = int32(len(parent))
				parent = append(parent, n)
				nodes[owned{r.person, k}] = n
			}
			if root[i] < 0 {
				root[i] = n
			} else {
				parent[find(n)] = find(root[i])
			}
		}
	}
	names := map[int32]int32{}
	for i := range t.records {
		r := &t.records[i]
		r.cluster = -1
		if r.person < 0 || !slices.ContainsFunc(r.keys, func(k profile.Identifier) bool {
			return t.special[k]&SharedTablet == 0 && owners[epoch(r, k)] == r.person
		}) {
			continue
		}
		top := find(root[i])
		c, ok := names[top]
		if !ok {
			c = int32(len(t.clusters))
			names[top] = c
			t.clusters = append(t.clusters, cluster{person: r.person})
		}
		r.cluster = c
		t.clusters[c].events++
	}
}

// Pairs counts pairs of events.
type Pairs struct {
	Same     int64 // belong together
	Found    int64 // of Same, in one profile
	Together int64 // in one profile
	Right    int64 // of Together, from one person
}

// Precision is Right ÷ Together, 1 where nothing was put together.
func (p Pairs) Precision() float64 { return ratio(p.Right, p.Together) }

// Recall is Found ÷ Same, 1 where nothing belongs together.
func (p Pairs) Recall() float64 { return ratio(p.Found, p.Same) }

// F1 is the harmonic mean of precision and recall.
func (p Pairs) F1() float64 {
	a, b := p.Precision(), p.Recall()
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}

func (p Pairs) String() string {
	return fmt.Sprintf("precision %.4f  recall %.4f  F1 %.4f", p.Precision(), p.Recall(), p.F1())
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// IdentityScore says how well events were given to profiles.
type IdentityScore struct {
	Events   int // distinct events from somebody
	Missing  int // of these, without a profile: each counts as one of its own
	Persons  int // behind the events
	Profiles int // that the events were given to
	// All compares with the persons: Same is every pair of one person.
	All Pairs
	// Knowable leaves out the events that nobody can attribute, and takes for
	// Same the pairs that identifiers tie together.
	Knowable Pairs
	// Clusters is how many parts the identifiers tie together; Exact of them
	// are one profile that holds nothing of another person's.
	Clusters, Exact int
	// Traps compares with the persons, over the pairs of which at least one
	// event carries the trap.
	Traps []TrapScore
}

// TrapScore is the part of a score that concerns one trap.
type TrapScore struct {
	Trap   Trap
	Events int
	Pairs  Pairs
}

// Score compares an assignment of event IDs to profiles with the truth; an
// event that is not in it, or has the empty ID, is without a profile. Event IDs that are not of this world are ignored. It takes time in proportion to
// the number of events.
func (t *Truth) Score(assigned map[string]profile.ID) IdentityScore {
	t.resolve()
	profiles := map[profile.ID]int32{}
	home := make([]int32, len(t.records))
	var s IdentityScore
	for i := range t.records {
		id, ok := assigned[t.records[i].id]
		if !ok || id == "" {
			home[i] = -1 - int32(i)
			if t.records[i].person >= 0 {
				s.Missing++
			}
			continue
		}
		p, ok := profiles[id]
		if !ok {
			p = int32(len(profiles))
			profiles[id] = p
		}
		home[i] = p
	}
	s.Profiles = len(profiles)
	person := func(r *record) int32 { return r.person }
	everybody := func(r *record) bool { return r.person >= 0 }
	var persons int
	s.All, s.Events, persons = t.pairs(home, everybody, person)
	s.Persons = persons
	s.Knowable, _, s.Clusters = t.pairs(home, func(r *record) bool { return r.cluster >= 0 }, func(r *record) int32 { return r.cluster })
	for _, trap := range Traps() {
		without, n, _ := t.pairs(home, func(r *record) bool { return r.person >= 0 && r.trap&trap == 0 }, person)
		s.Traps = append(s.Traps, TrapScore{Trap: trap, Events: s.Events - n, Pairs: Pairs{
			Same: s.All.Same - without.Same, Found: s.All.Found - without.Found,
			Together: s.All.Together - without.Together, Right: s.All.Right - without.Right,
		}})
	}
	s.Exact = t.exact(home)
	return s
}

// pairs counts by contingency tables: of group and profile, and of person and profile.
func (t *Truth) pairs(home []int32, in func(*record) bool, group func(*record) int32) (p Pairs, events, groups int) {
	both, right := map[[2]int32]int64{}, map[[2]int32]int64{}
	byGroup, byHome := map[int32]int64{}, map[int32]int64{}
	for i := range t.records {
		r := &t.records[i]
		if !in(r) {
			continue
		}
		events++
		both[[2]int32{group(r), home[i]}]++
		right[[2]int32{r.person, home[i]}]++
		byGroup[group(r)]++
		byHome[home[i]]++
	}
	for _, n := range both {
		p.Found += n * (n - 1) / 2
	}
	for _, n := range right {
		p.Right += n * (n - 1) / 2
	}
	for _, n := range byGroup {
		p.Same += n * (n - 1) / 2
	}
	for _, n := range byHome {
		p.Together += n * (n - 1) / 2
	}
	return p, events, len(byGroup)
}

// exact counts the clusters that are one profile without anybody else's
// knowable events.
func (t *Truth) exact(home []int32) int {
	const mixed = -1 << 31
	of := make([]int32, len(t.clusters)) // profile of a cluster
	seen := make([]bool, len(t.clusters))
	owner := map[int32]int32{} // person of a profile
	for i := range t.records {
		r := &t.records[i]
		if r.cluster < 0 {
			continue
		}
		switch c := r.cluster; {
		case !seen[c]:
			seen[c], of[c] = true, home[i]
		case of[c] != home[i]:
			of[c] = mixed
		}
		if who, ok := owner[home[i]]; !ok {
			owner[home[i]] = r.person
		} else if who != r.person {
			owner[home[i]] = mixed
		}
	}
	n := 0
	for c := range t.clusters {
		if of[c] != mixed && owner[of[c]] != mixed {
			n++
		}
	}
	return n
}

// homes gives each cluster the profile that holds most of its events, ties to
// the lesser ID, and each person the cluster with most events.
func (t *Truth) homes(assigned map[string]profile.ID) (home []profile.ID, main []int32) {
	t.resolve()
	counts := map[int32]map[profile.ID]int{}
	for i := range t.records {
		r := &t.records[i]
		id, ok := assigned[r.id]
		if r.cluster < 0 || !ok || id == "" {
			continue
		}
		if counts[r.cluster] == nil {
			counts[r.cluster] = map[profile.ID]int{}
		}
		counts[r.cluster][id]++
	}
	home = make([]profile.ID, len(t.clusters))
	for c, ids := range counts {
		var best profile.ID
		for id, n := range ids {
			if d := cmp.Compare(n, ids[best]); d > 0 || d == 0 && id < best {
				best = id
			}
		}
		home[c] = best
	}
	main = make([]int32, len(t.people))
	for i := range main {
		main[i] = -1
	}
	for c, x := range t.clusters {
		if m := main[x.person]; m < 0 || x.events > t.clusters[m].events {
			main[x.person] = int32(c)
		}
	}
	return home, main
}
