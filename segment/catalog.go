package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// catalog holds what rules read and test, each distinct thing once, however
// many segments share it.
type catalog struct {
	streams map[string]*stream
	leaves  map[string]*leaf
	next    int // index of the next stream
	under   *catalog
}

func newCatalog() *catalog {
	return &catalog{streams: map[string]*stream{}, leaves: map[string]*leaf{}}
}

// over is a catalog of what this one holds and of more, which this one is
// spared.
func (c *catalog) over() *catalog {
	out := newCatalog()
	out.next, out.under = c.next, c
	return out
}

// leafOf finds a leaf, nil for none.
func (c *catalog) leafOf(key string) *leaf {
	if l := c.leaves[key]; l != nil || c.under == nil {
		return l
	}
	return c.under.leafOf(key)
}

// streamOf finds a stream, nil for none.
func (c *catalog) streamOf(key string) *stream {
	if s := c.streams[key]; s != nil || c.under == nil {
		return s
	}
	return c.under.streamOf(key)
}

// stream is a filtered flow of facts of one customer: what happened when and,
// where a property is wanted, with which value.
type stream struct {
	index    int
	key      string
	source   source
	event    string
	where    *node
	property string // empty: only the times matter
}

// feed is the name of the events that the stream is of, empty where it is of all.
func (s *stream) feed() string {
	if s.source == sourceRelations {
		return ""
	}
	return s.event
}

// expr is a node of a rule made ready: a combination or a leaf.
type expr struct {
	kind nodeKind // all, any, not; 0 for a leaf
	kids []*expr
	leaf *leaf
	node *node
	// state is the leaf's in the engine that the expression belongs to.
	state *leafState
}

// leaf is a test that is evaluated as one.
type leaf struct {
	key    string
	node   *node
	clocks clocks
	of     []*stream // measure, trend, debut: one; sequence: two; func: one per measure
	needs  []*compiled
	// counting is not nil for a leaf that only counts a few.
	counting *counting
}

// compiled is a definition made ready.
type compiled struct {
	def  Definition
	hash string
	// deep identifies the definition with those that it is made of.
	deep   string
	state  *segmentState // in the engine where it is defined, else nil
	clocks clocks
	root   *expr
	leaves []*leaf
}

func (c *catalog) stream(b Behavior, property string) *stream {
	var buf bytes.Buffer
	b.window = Window{}
	b.encode(&buf, false)
	buf.WriteString(property)
	key := buf.String()
	s := c.streamOf(key)
	if s == nil {
		s = &stream{index: c.next, key: key, source: b.source, event: b.event, where: b.where, property: property}
		c.streams[key] = s
		c.next++
	}
	return s
}

func (c *catalog) compile(d Definition, known map[string]*compiled) (*compiled, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	loc, err := loadZone(d.Zone)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDefinition, d.Name, err)
	}
	for _, name := range d.Rule.n.segments(nil) {
		if name == d.Name {
			return nil, fmt.Errorf("%w: %s is made of itself", ErrCycle, name)
		}
		if known[name] == nil {
			return nil, fmt.Errorf("%w: %s, of which %s is made", ErrUnknownSegment, name, d.Name)
		}
	}
	out := &compiled{def: d, hash: d.Hash(), clocks: clocks{loc}}
	out.deep = out.hash
	for _, name := range d.Rule.n.segments(nil) {
		sum := sha256.Sum256([]byte(out.deep + known[name].deep))
		out.deep = hex.EncodeToString(sum[:])
	}
	out.root = c.expr(d.Rule.n, out, known)
	return out, nil
}

func (c *catalog) expr(n *node, of *compiled, known map[string]*compiled) *expr {
	e := &expr{node: n}
	switch n.kind {
	case nodeAll, nodeAny, nodeNot:
		e.kind = n.kind
		for _, k := range n.kids {
			e.kids = append(e.kids, c.expr(k, of, known))
		}
		return e
	}
	e.leaf = c.leaf(n, of, known)
	return e
}

func (c *catalog) leaf(n *node, of *compiled, known map[string]*compiled) *leaf {
	var b bytes.Buffer
	n.encode(&b, false)
	// A test means something else in another zone, and a segment or function
	// of the same name something else after a redefinition.
	b.WriteString(of.clocks.loc.String())
	var needs []*compiled
	for _, name := range n.segments(nil) {
		needs = append(needs, known[name])
		b.WriteString(known[name].deep)
	}
	switch { // what is called by name is the caller's, and may be another one
	case n.kind == nodeFunc:
		b.WriteString(strconv.Quote(fmt.Sprintf("%p", n.fn)))
	case n.date.foreign:
		b.WriteString(strconv.Quote(fmt.Sprintf("%p", n.date.calendar)))
	}
	key := b.String()
	l := c.leafOf(key)
	if l == nil {
		l = &leaf{key: key, node: n, clocks: of.clocks, needs: needs}
		switch n.kind {
		case nodeMeasure, nodeTrend:
			l.of = []*stream{c.stream(n.measure.of, n.measure.property)}
			if counts, ok := countingOf(n); ok {
				l.counting = &counts
			}
		case nodeDebut:
			l.of = []*stream{c.stream(n.first, "")}
		case nodeSequence:
			l.of = []*stream{c.stream(n.first, ""), c.stream(n.next, "")}
		case nodeRelation:
			l.of = []*stream{c.stream(n.relation.stream(), "acts")}
		case nodeFunc:
			for _, name := range n.fn.measures {
				m := n.fn.deps.Measures[name]
				l.of = append(l.of, c.stream(m.of, m.property))
			}
		}
		c.leaves[key] = l
	}
	for _, have := range of.leaves {
		if have == l {
			return l
		}
	}
	of.leaves = append(of.leaves, l)
	return l
}

// release takes out what only c brought: leaves and streams of which no engine
// holds a state.
func (c *catalog) release(of *compiled, leaves map[*leaf]*leafState, series []*seriesColumn) {
	for _, l := range of.leaves {
		if leaves[l] == nil {
			delete(c.leaves, l.key)
		}
		for _, s := range l.of {
			if s.index >= len(series) || series[s.index] == nil {
				delete(c.streams, s.key)
			}
		}
	}
}
