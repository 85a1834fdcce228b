package profile_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// The oracle is the definition of resolution written down as plainly as it can
// be: all evidence, sorted, folded from nothing. It shares no code with the
// directory and knows nothing of arrival but which evidence came first.

type oracleEvidence struct {
	ids    []profile.Identifier // sorted by the order of linking
	key    profile.EvidenceKey
	first  int64
	events []profile.Event
}

type oracleTie struct {
	a, b profile.Identifier
	must bool
}

type oracleCluster struct {
	since    map[profile.Identifier]int64 // -1: never seen
	evidence []*oracleEvidence
}

type oracleRefusal struct {
	evidence profile.EvidenceKey
	id       profile.Identifier
	reason   profile.Reason
	kind     string
	witness  string
}

type oracle struct {
	kinds    map[string]profile.Kind
	traits   map[string]profile.TraitRule
	sources  []string
	ties     []oracleTie
	unlinked map[profile.EvidenceKey]bool
	anchors  map[profile.EvidenceKey]profile.ID // minted in order, by arrival

	evidence []*oracleEvidence
	clusters map[*oracleCluster]bool
	at       map[profile.Identifier]*oracleCluster
	refusals []oracleRefusal
}

func newOracle(cfg profile.Config) *oracle {
	o := &oracle{kinds: map[string]profile.Kind{}, traits: map[string]profile.TraitRule{}, unlinked: map[profile.EvidenceKey]bool{}, anchors: map[profile.EvidenceKey]profile.ID{}}
	for _, k := range cfg.Kinds {
		o.kinds[k.Name] = k
	}
	for _, t := range cfg.Traits {
		o.traits[t.Name] = t
	}
	o.sources = cfg.Sources
	return o
}

func (o *oracle) kind(id profile.Identifier) profile.Kind {
	name, _, _ := strings.Cut(id.Kind, "/")
	return o.kinds[name]
}

func (o *oracle) blocked(id profile.Identifier) bool {
	return slices.Contains(o.kind(id).Blocked, id.Value)
}

// compareLinks is the order of identifiers within evidence.
func (o *oracle) compareLinks(a, b profile.Identifier) int {
	return cmp.Or(
		cmp.Compare(o.kind(a).Priority, o.kind(b).Priority),
		strings.Compare(a.Value, b.Value),
		strings.Compare(a.Kind, b.Kind))
}

// limitGroup is what a limited identifier counts with; "" for no limit.
func (o *oracle) limitGroup(id profile.Identifier) string {
	k := o.kind(id)
	switch {
	case k.Limit == 0:
		return ""
	case k.PerScope:
		return id.Kind
	}
	return k.Name
}

// fold computes everything from the distinct events given.
func (o *oracle) fold(events map[string]profile.Event, keys map[string]profile.EvidenceKey) {
	byKey := map[profile.EvidenceKey]*oracleEvidence{}
	for _, id := range slices.Sorted(maps.Keys(events)) {
		e := events[id]
		key := keys[id]
		ev := byKey[key]
		at := e.Time.UnixMicro()
		if ev == nil {
			ids := slices.Clone(e.Identifiers)
			slices.SortFunc(ids, o.compareLinks)
			ev = &oracleEvidence{ids: slices.Compact(ids), key: key, first: at}
			byKey[key] = ev
		}
		ev.first = min(ev.first, at)
		ev.events = append(ev.events, e)
	}
	o.evidence = slices.SortedFunc(maps.Values(byKey), func(a, b *oracleEvidence) int {
		return cmp.Or(cmp.Compare(a.first, b.first), strings.Compare(string(a.key[:]), string(b.key[:])))
	})
	o.clusters = map[*oracleCluster]bool{}
	o.at = map[profile.Identifier]*oracleCluster{}
	o.refusals = nil
	for _, t := range slices.SortedFunc(slices.Values(o.ties), func(s, t oracleTie) int {
		return cmp.Or(o.compareLinks(s.a, t.a), o.compareLinks(s.b, t.b))
	}) {
		if t.must {
			o.bind(t)
		}
	}
	for _, e := range o.evidence {
		o.step(e)
	}
}

func (o *oracle) cluster(id profile.Identifier, at int64) *oracleCluster {
	if c := o.at[id]; c != nil {
		if c.since[id] < 0 {
			c.since[id] = at
		}
		return c
	}
	c := &oracleCluster{since: map[profile.Identifier]int64{id: at}}
	o.at[id] = c
	o.clusters[c] = true
	return c
}

func (o *oracle) merge(a, b *oracleCluster) {
	if a == b {
		return
	}
	for id, at := range b.since {
		a.since[id] = at
		o.at[id] = a
	}
	a.evidence = append(a.evidence, b.evidence...)
	delete(o.clusters, b)
}

func (o *oracle) apart(a, b *oracleCluster) (string, bool) {
	others := map[string]bool{}
	for _, t := range o.ties {
		if t.must {
			continue
		}
		_, aa := a.since[t.a]
		_, ab := a.since[t.b]
		_, ba := b.since[t.a]
		_, bb := b.since[t.b]
		if aa && bb {
			others[fmt.Sprint(t.b)] = true
		}
		if ab && ba {
			others[fmt.Sprint(t.a)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(others)), ","), len(others) > 0
}

func (o *oracle) bind(t oracleTie) {
	a, b := o.cluster(t.a, -1), o.cluster(t.b, -1)
	if _, apart := o.apart(a, b); !apart {
		o.merge(a, b)
	}
}

func (o *oracle) step(e *oracleEvidence) {
	var links []profile.Identifier
	lookup := false
	for _, id := range e.ids {
		switch {
		case o.blocked(id):
		case o.kind(id).Use == profile.Links:
			links = append(links, id)
		default:
			lookup = true
		}
	}
	if len(links) == 0 {
		if lookup {
			o.clusters[&oracleCluster{evidence: []*oracleEvidence{e}}] = true
		}
		return
	}
	home := o.cluster(links[0], e.first)
	for _, id := range links[1:] {
		refuse := oracleRefusal{evidence: e.key, id: id}
		if o.unlinked[e.key] {
			refuse.reason = profile.ReasonUnlinked
			o.refusals = append(o.refusals, refuse)
			continue
		}
		far := o.at[id]
		if far == home {
			o.cluster(id, e.first)
			continue
		}
		if far == nil {
			far = &oracleCluster{since: map[profile.Identifier]int64{id: e.first}}
		}
		if other, apart := o.apart(home, far); apart {
			refuse.reason, refuse.witness = profile.ReasonCannotLink, other
			o.refusals = append(o.refusals, refuse)
			continue
		}
		if group := o.overLimit(home, far); group != "" {
			refuse.reason, refuse.kind = profile.ReasonLimit, group
			var witness []string
			for w := range far.since {
				if o.limitGroup(w) == group {
					witness = append(witness, fmt.Sprint(w))
				}
			}
			sort.Strings(witness)
			refuse.witness = strings.Join(witness, ",")
			o.refusals = append(o.refusals, refuse)
			continue
		}
		if o.at[id] == nil {
			o.at[id] = home
			home.since[id] = e.first
			continue
		}
		o.merge(home, far)
		o.cluster(id, e.first)
	}
	home.evidence = append(home.evidence, e)
}

// overLimit names the limit that the union of two clusters breaks.
func (o *oracle) overLimit(a, b *oracleCluster) string {
	groups := map[string]bool{}
	for id := range a.since {
		groups[o.limitGroup(id)] = true
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		if g == "" {
			continue
		}
		name, _, _ := strings.Cut(g, "/")
		k := o.kinds[name]
		var fromA, fromB []int64
		for id, at := range a.since {
			if o.limitGroup(id) == g {
				fromA = append(fromA, at)
			}
		}
		for id, at := range b.since {
			if o.limitGroup(id) == g {
				fromB = append(fromB, at)
			}
		}
		if len(fromA) == 0 || len(fromB) == 0 {
			continue
		}
		if k.Within == 0 {
			if len(fromA)+len(fromB) > k.Limit {
				return g
			}
			continue
		}
		for _, start := range append(slices.Clone(fromA), fromB...) {
			if start < 0 {
				continue
			}
			in := func(times []int64) (n int) {
				for _, t := range times {
					if t >= start && t-start < k.Within.Microseconds() {
						n++
					}
				}
				return n
			}
			if na, nb := in(fromA), in(fromB); na > 0 && nb > 0 && na+nb > k.Limit {
				return g
			}
		}
	}
	return ""
}

// A view is what there is to compare, free of minted IDs and of order.
type view struct {
	profiles []string
	refusals []string
	lookups  map[profile.Identifier]string // to the least event of the profile
}

func (o *oracle) view() view {
	v := view{lookups: map[profile.Identifier]string{}}
	for c := range o.clusters {
		var events []profile.Event
		for _, e := range c.evidence {
			events = append(events, e.events...)
		}
		if len(events) == 0 {
			continue
		}
		var ids []string
		for id, at := range c.since {
			if at >= 0 {
				ids = append(ids, fmt.Sprint(id, at))
			}
		}
		for _, e := range c.evidence {
			for _, id := range e.ids {
				if o.kind(id).Use == profile.LooksUp && !o.blocked(id) {
					ids = append(ids, fmt.Sprint(id))
				}
			}
		}
		sort.Strings(ids)
		id := profile.ID("~")
		for _, e := range c.evidence {
			id = min(id, o.anchors[e.key])
		}
		v.profiles = append(v.profiles, string(id)+": "+profileText(events, slices.Compact(ids), o.golden(events), len(c.evidence)))
		least := slices.MinFunc(events, func(a, b profile.Event) int { return strings.Compare(a.ID, b.ID) }).ID
		for id, at := range c.since {
			if at >= 0 {
				v.lookups[id] = least
			}
		}
	}
	for _, r := range o.refusals {
		v.refusals = append(v.refusals, fmt.Sprint(r.evidence, r.id, r.reason, r.kind, "<", r.witness, ">"))
	}
	sort.Strings(v.profiles)
	sort.Strings(v.refusals)
	return v
}

func profileText(events []profile.Event, ids []string, traits map[string]profile.Value, evidence int) string {
	slices.SortFunc(events, func(a, b profile.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s@%d ", e.ID, e.Time.UnixMicro())
	}
	fmt.Fprintf(&b, "| %d evidence | %s |", evidence, strings.Join(ids, " "))
	for _, n := range slices.Sorted(maps.Keys(traits)) {
		if !traits[n].IsZero() {
			fmt.Fprintf(&b, " %s=%s:%s", n, traits[n].Kind(), traits[n])
		}
	}
	return b.String()
}

// golden reduces the traits of events, by their policies, the plain way.
func (o *oracle) golden(events []profile.Event) map[string]profile.Value {
	type said struct {
		v    profile.Value
		at   int64
		rank int
		id   string
	}
	all := map[string][]said{}
	for _, e := range events {
		for n, v := range e.Traits {
			rank := slices.Index(o.sources, e.Source)
			if rank < 0 {
				rank = len(o.sources)
			}
			all[n] = append(all[n], said{v, e.Time.UnixMicro(), rank, e.ID})
		}
	}
	out := map[string]profile.Value{}
	for n, list := range all {
		rule := o.traits[n]
		if strings.HasPrefix(n, "likes.") {
			rule = o.traits["likes.*"]
		}
		policy := rule.Policy
		list = slices.DeleteFunc(list, func(s said) bool {
			switch policy {
			case profile.Latest, profile.Trusted:
				return false
			case profile.Sum, profile.Decay:
				return s.v.Kind() != profile.Integer && s.v.Kind() != profile.Decimal
			case profile.Union:
				return s.v.Kind() != profile.String && s.v.Kind() != profile.TagSet
			}
			return s.v.IsZero()
		})
		if len(list) == 0 {
			continue
		}
		pick := func(less func(a, b said) int) profile.Value { return slices.MinFunc(list, less).v }
		switch policy {
		case profile.Latest:
			latest := slices.MinFunc(list, func(a, b said) int {
				return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.rank, b.rank), strings.Compare(b.id, a.id))
			})
			if rule.TTL == 0 || worldNow.Microseconds()-latest.at < rule.TTL.Microseconds() {
				out[n] = latest.v
			}
		case profile.Decay:
			sum, half := int64(0), float64(rule.HalfLife.Microseconds())
			for _, s := range list {
				n, places, _ := s.v.Dec()
				sum += int64(math.Round(float64(n) / math.Pow10(int(places)) * math.Exp2(float64(s.at)/half) * 1e6))
			}
			out[n] = profile.Dec(int64(math.Round(float64(sum)*math.Exp2(-float64(worldNow.Microseconds())/half))), 6)
		case profile.First:
			out[n] = pick(func(a, b said) int {
				return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank), strings.Compare(a.id, b.id))
			})
		case profile.Trusted:
			out[n] = pick(func(a, b said) int {
				return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.at, a.at), strings.Compare(b.id, a.id))
			})
		case profile.Max, profile.Min:
			sign := 1
			if policy == profile.Max {
				sign = -1
			}
			out[n] = pick(func(a, b said) int {
				c, ok := a.v.Compare(b.v)
				if !ok {
					c = cmp.Compare(a.v.Kind(), b.v.Kind())
				}
				return cmp.Or(sign*c, cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id))
			})
		case profile.Sum:
			var sum, cents int64
			decimal := false
			for _, s := range list {
				n, places, _ := s.v.Dec()
				decimal = decimal || s.v.Kind() == profile.Decimal
				for range 2 - places {
					n *= 10
				}
				sum, cents = sum+n/100, cents+n%100
			}
			if decimal {
				out[n] = profile.Dec(sum*100+cents, 2)
			} else {
				out[n] = profile.Int(sum)
			}
		case profile.Union:
			var tags []string
			for _, s := range list {
				if t, ok := s.v.Text(); ok {
					tags = append(tags, t)
				}
				tags = append(tags, s.v.Tags()...)
			}
			if rule.TTL > 0 {
				last := map[string]int64{}
				for _, s := range list {
					for _, tag := range append(s.v.Tags(), textOf(s.v)...) {
						last[tag] = max(last[tag], s.at)
					}
				}
				tags = slices.DeleteFunc(tags, func(tag string) bool {
					return worldNow.Microseconds()-last[tag] >= rule.TTL.Microseconds()
				})
				if len(tags) == 0 {
					continue
				}
			}
			out[n] = profile.Tags(tags...)
		}
	}
	return out
}

func textOf(v profile.Value) []string {
	if s, ok := v.Text(); ok {
		return []string{s}
	}
	return nil
}

// A world is a set of events, made from a seed so that they collide.
type world struct {
	events []profile.Event
}

// worldNow is far behind the events of a world.
const worldNow = 1_000_000 * time.Second

func chaosConfig() profile.Config {
	return profile.Config{
		Kinds: []profile.Kind{
			{Name: "m", Priority: 1, Limit: 1, PerScope: true},
			{Name: "p", Priority: 2, Limit: 2, Blocked: []string{"p0"}},
			{Name: "w", Priority: 3, Limit: 2, Within: 5 * time.Second},
			{Name: "v", Priority: 3, Limit: 3},
			{Name: "b", Priority: 2, Limit: 1, PerScope: true, ByBrand: true},
			{Name: "d", Priority: 4, Blocked: []string{"d0"}},
			{Name: "l", Use: profile.LooksUp, Priority: 9},
		},
		Traits: []profile.TraitRule{
			{Name: "first", Policy: profile.First},
			{Name: "trusted", Policy: profile.Trusted},
			{Name: "max", Policy: profile.Max},
			{Name: "min", Policy: profile.Min},
			{Name: "sum", Policy: profile.Sum},
			{Name: "union", Policy: profile.Union},
			{Name: "likes.*", Policy: profile.Decay, HalfLife: 100_000 * time.Second},
			{Name: "fresh", TTL: worldNow - 20*time.Second},
			{Name: "tags", Policy: profile.Union, TTL: worldNow - 20*time.Second},
		},
		Sources: []string{"crm", "till"},
		Now:     func() time.Time { return time.Unix(0, 0).Add(worldNow) },
	}
}

// chaos makes a world of few values and few instants.
func chaos(rng *rand.Rand) world {
	var w world
	size := 3 + rng.IntN(30)
	pool := 2 + rng.IntN(5)
	kinds := []string{"m/a", "m/b", "p", "w", "v", "d", "d", "l", "b", "b/x"}
	span := 5 + rng.IntN(40)
	for i := range size {
		e := profile.Event{
			ID:     fmt.Sprintf("e%02d", i),
			Source: []string{"crm", "till", "web", ""}[rng.IntN(4)],
			Time:   time.Unix(int64(rng.IntN(span)), 0).UTC(),
			Traits: chaosTraits(rng),
			Brand:  []string{"", "x", "y"}[rng.IntN(3)],
		}
		for range 1 + rng.IntN(3) {
			k := kinds[rng.IntN(len(kinds))]
			e.Identifiers = append(e.Identifiers, profile.Identifier{Kind: k, Value: fmt.Sprint(k[:1], rng.IntN(pool))})
		}
		if i > 0 && rng.IntN(4) == 0 {
			e.Identifiers = w.events[rng.IntN(i)].Identifiers
		}
		w.events = append(w.events, e)
	}
	return w
}

// branded is an event with its brand as scope where its identifiers take it.
func branded(e profile.Event) profile.Event {
	e.Identifiers = slices.Clone(e.Identifiers)
	for i := range e.Identifiers {
		if id := &e.Identifiers[i]; id.Kind == "b" && e.Brand != "" {
			id.Kind = "b/" + e.Brand
		}
	}
	return e
}

func chaosTraits(rng *rand.Rand) profile.Values {
	values := []profile.Value{
		profile.Int(int64(rng.IntN(5))), profile.Dec(int64(rng.IntN(500)), 2), profile.Text(string(rune('a' + rng.IntN(5)))),
		profile.Tags("x", string(rune('a'+rng.IntN(5)))),
		{},
		profile.Flag(rng.IntN(2) == 0),
	}
	t := profile.Values{}
	for _, n := range []string{"latest", "first", "trusted", "max", "min", "sum", "union", "likes.x", "fresh", "tags"} {
		if rng.IntN(2) == 0 {
			t[n] = values[rng.IntN(len(values))]
		}
	}
	return t
}
