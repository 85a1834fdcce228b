package segment

import (
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// attrColumn holds one trait of every customer who has it, by the kind of the
// value: texts, flags and tags as codes with a set of customers for each value
// that a rule asks for; numbers and instants as bit planes.
type attrColumn struct {
	name   string
	leaves []*leafState
	routes routes[*leafState] // the same, by what they ask for

	codes  paged[uint32]        // of the value plus one; 0 for none
	coded  bitmap               // who has a code
	values paged[profile.Value] // by code
	refs   []uint32
	byCode map[profile.Value]uint32
	free   []uint32
	sets   map[profile.Value]*bitmap // who has the value
	tags   map[string]*bitmap        // who has the tag

	numbers planes // scaled by places
	places  uint8
	times   planes
	odd     map[uint32]profile.Value // numbers that do not fit the scale
}

func newAttrColumn(name string) *attrColumn {
	return &attrColumn{
		name: name, byCode: map[profile.Value]uint32{}, sets: map[profile.Value]*bitmap{},
		tags: map[string]*bitmap{}, odd: map[uint32]profile.Value{},
	}
}

// get reads the trait of a customer.
func (c *attrColumn) get(d uint32) profile.Value {
	if code := c.codes.get(d); code != 0 {
		return c.values.get(code - 1)
	}
	if n, ok := c.numbers.get(d); ok {
		return plainNumber(profile.Dec(n, c.places))
	}
	if n, ok := c.times.get(d); ok {
		return profile.Time(instant(n))
	}
	return c.odd[d]
}

// set gives a customer a value, none for the zero Value. Numbers are plain.
func (c *attrColumn) set(d uint32, v profile.Value) {
	old := c.get(d)
	if old == v {
		return
	}
	switch old.Kind() {
	case profile.Integer, profile.Decimal:
		c.numbers.unset(d)
		delete(c.odd, d)
	case profile.Instant:
		c.times.unset(d)
	case profile.String, profile.Bool, profile.TagSet:
		c.release(d, old)
	}
	switch v.Kind() {
	case profile.Integer, profile.Decimal:
		c.setNumber(d, v)
	case profile.Instant:
		t, _ := v.Time()
		c.times.set(d, micros(t))
	case profile.String, profile.Bool, profile.TagSet:
		c.retain(d, v)
	}
}

// page reports whether anyone on a page may have a value.
func (c *attrColumn) page(i int) bool {
	chunk := i >> (chunkBits - pageBits)
	return i < len(c.codes.pages) && c.codes.pages[i] != nil ||
		chunk < len(c.numbers.chunks) && c.numbers.chunks[chunk] != nil ||
		chunk < len(c.times.chunks) && c.times.chunks[chunk] != nil || len(c.odd) > 0
}

// retain gives d a coded value.
func (c *attrColumn) retain(d uint32, v profile.Value) {
	code, ok := c.byCode[v]
	if !ok {
		if n := len(c.free); n > 0 {
			code, c.free = c.free[n-1], c.free[:n-1]
		} else {
			code = uint32(len(c.refs))
			c.refs = append(c.refs, 0)
		}
		*c.values.at(code) = v
		c.byCode[v] = code
	}
	c.refs[code]++
	*c.codes.at(d) = code + 1
	c.mark(d, v, true)
}

// release takes the coded value of d away, and forgets one that nobody has any more.
func (c *attrColumn) release(d uint32, v profile.Value) {
	place := c.codes.at(d)
	code := *place - 1
	*place = 0
	c.mark(d, v, false)
	if c.refs[code]--; c.refs[code] == 0 {
		*c.values.at(code) = profile.Value{}
		delete(c.byCode, v)
		c.free = append(c.free, code)
	}
}

func (c *attrColumn) mark(d uint32, v profile.Value, in bool) {
	c.coded.set(d, in)
	if set := c.sets[v]; set != nil {
		set.set(d, in)
	}
	if len(c.tags) == 0 || v.Kind() != profile.TagSet {
		return
	}
	for _, tag := range v.Tags() {
		if set := c.tags[tag]; set != nil {
			set.set(d, in)
		}
	}
}

func (c *attrColumn) setNumber(d uint32, v profile.Value) {
	n, places, _ := v.Dec()
	if places > c.places {
		c.rescale(places)
	}
	if scaled, ok := scale(n, c.places-min(places, c.places)); ok && places <= c.places {
		c.numbers.set(d, scaled)
	} else {
		c.odd[d] = v
	}
}

// maxPlaces bounds the common scale, so that whole numbers of everyday size fit.
const maxPlaces = 6

// rescale makes room for more decimal places.
func (c *attrColumn) rescale(places uint8) {
	places = min(places, maxPlaces)
	if places <= c.places {
		return
	}
	up := places - c.places
	old := c.numbers
	c.numbers, c.places = planes{epoch: old.epoch}, places
	for i, chunk := range old.chunks {
		if chunk == nil {
			continue
		}
		for at := range uint32(chunkSize) {
			n, ok := chunk.get(at)
			if !ok {
				continue
			}
			d := uint32(i)<<chunkBits | at
			if scaled, fits := scale(n, up); fits {
				c.numbers.set(d, scaled)
			} else {
				c.odd[d] = plainNumber(profile.Dec(n, places-up))
			}
		}
	}
}

// scale multiplies by a power of ten, if the result fits.
func scale(n int64, places uint8) (int64, bool) {
	for range places {
		if n > math.MaxInt64/10 || n < math.MinInt64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

// watch makes sure that the sets that a predicate asks for exist.
func (c *attrColumn) watch(p predicate, customers uint32) {
	var fresh []func(d uint32, v profile.Value)
	for _, v := range p.values {
		switch {
		case p.op == opTagged:
			tag, _ := v.Text()
			if c.tags[tag] == nil {
				set := &bitmap{}
				c.tags[tag] = set
				fresh = append(fresh, func(d uint32, v profile.Value) {
					if v.HasTag(tag) {
						set.set(d, true)
					}
				})
			}
		case p.op == opEqual && coded(v) && c.sets[v] == nil:
			set := &bitmap{}
			c.sets[v] = set
			fresh = append(fresh, func(d uint32, w profile.Value) {
				if v == w {
					set.set(d, true)
				}
			})
		}
	}
	if fresh == nil {
		return
	}
	for d := range customers {
		if code := c.codes.get(d); code != 0 {
			for _, f := range fresh {
				f(d, c.values.get(code-1))
			}
		}
	}
}

func coded(v profile.Value) bool {
	return v.Kind() == profile.String || v.Kind() == profile.Bool || v.Kind() == profile.TagSet
}

// view is the column as it is, for a reader that reads customer by customer;
// the writer's lock must be held.
func (c *attrColumn) view() *attrColumn {
	return &attrColumn{
		name: c.name, codes: c.codes.pin(), values: c.values.pin(),
		numbers: *c.numbers.pin(), places: c.places, times: *c.times.pin(), odd: maps.Clone(c.odd),
	}
}

// attrIndex is what evaluation reads of a column for one predicate, pinned.
type attrIndex struct {
	pred   predicate
	sets   []*set // any of these
	planes *planes
	lo, hi int64                    // within the planes
	also   *planes                  // anyone in these
	odd    map[uint32]profile.Value // numbers out of scale that pass
}

// pin reads the column for a predicate that it watches; the writer's lock must
// be held.
func (c *attrColumn) pin(p predicate) *attrIndex {
	x := &attrIndex{pred: p, lo: math.MinInt64, hi: math.MaxInt64}
	switch p.op {
	case opExists, opMissing:
		x.sets = []*set{c.coded.snapshot()}
		x.planes, x.also = c.numbers.pin(), c.times.pin()
	case opTagged:
		for _, v := range p.values {
			tag, _ := v.Text()
			x.sets = append(x.sets, c.tags[tag].snapshot())
		}
		return x
	case opEqual:
		for _, v := range p.values {
			if coded(v) {
				x.sets = append(x.sets, c.sets[v].snapshot())
			}
		}
		x.equalNumbers(c)
	case opRange:
		x.rangeOf(c)
	}
	for d, v := range c.odd {
		if p.op == opMissing || p.holds(v) {
			if x.odd == nil {
				x.odd = map[uint32]profile.Value{}
			}
			x.odd[d] = v
		}
	}
	return x
}

// equalNumbers prepares equality with numbers and instants; several of them
// are looked up at once.
func (x *attrIndex) equalNumbers(c *attrColumn) {
	if len(x.pred.values) == 1 && !coded(x.pred.values[0]) {
		x.pred = between(x.pred.values[0], x.pred.values[0])
		x.rangeOf(c)
		return
	}
	for _, v := range x.pred.values {
		if coded(v) {
			continue
		}
		one := &attrIndex{pred: between(v, v)}
		one.rangeOf(c)
		x.sets = append(x.sets, one.materialize(len(c.numbers.chunks), len(c.times.chunks)))
	}
}

// rangeOf prepares a range of numbers, instants or texts.
func (x *attrIndex) rangeOf(c *attrColumn) {
	p := x.pred
	kind := p.lo.value.Kind()
	if p.lo.value.IsZero() {
		kind = p.hi.value.Kind()
	}
	switch kind {
	case profile.Integer, profile.Decimal:
		x.planes = c.numbers.pin()
		x.lo, x.hi = p.scaled(c.places)
	case profile.Instant:
		x.planes = c.times.pin()
		x.lo, x.hi = math.MinInt64, math.MaxInt64
		if t, ok := p.lo.value.Time(); ok {
			x.lo = micros(t)
			if p.lo.strict {
				x.lo++
			}
		}
		if t, ok := p.hi.value.Time(); ok {
			x.hi = micros(t)
			if p.hi.strict {
				x.hi--
			}
		}
	case profile.String:
		// Texts are ordered by their few distinct values.
		pass := make([]bool, len(c.refs))
		for code := range pass {
			pass[code] = p.holds(c.values.get(uint32(code)))
		}
		var numbers []uint32
		c.coded.snapshot().each(func(d uint32) bool {
			if pass[c.codes.get(d)-1] {
				numbers = append(numbers, d)
			}
			return true
		})
		x.sets = append(x.sets, setOf(numbers))
	}
}

// scaled turns a range of numbers into one of scaled whole numbers, both ends
// included; an empty one has lo above hi.
func (p predicate) scaled(places uint8) (lo, hi int64) {
	lo, hi = math.MinInt64, math.MaxInt64
	at := func(v profile.Value) (floor *big.Int, exact bool) {
		n, have, _ := v.Dec()
		x := new(big.Int).Mul(big.NewInt(n), pow10(places))
		quo, rem := new(big.Int).DivMod(x, pow10(have), new(big.Int))
		return quo, rem.Sign() == 0
	}
	if v := p.lo.value; !v.IsZero() {
		floor, exact := at(v)
		if !exact || p.lo.strict {
			floor.Add(floor, big.NewInt(1))
		}
		switch {
		case floor.IsInt64():
			lo = floor.Int64()
		case floor.Sign() > 0:
			return 1, 0
		}
	}
	if v := p.hi.value; !v.IsZero() {
		floor, exact := at(v)
		if exact && p.hi.strict {
			floor.Sub(floor, big.NewInt(1))
		}
		switch {
		case floor.IsInt64():
			hi = floor.Int64()
		case floor.Sign() < 0:
			return 1, 0
		}
	}
	return lo, hi
}

// materialize evaluates everything into a set.
func (x *attrIndex) materialize(chunks ...int) *set {
	out := &set{}
	for i := range (slices.Max(chunks) + chunksBlock - 1) / chunksBlock {
		var words [blockWords]uint64
		x.eval(i, &words)
		b := blockOf(&words, false)
		out.blocks = append(out.blocks, b)
		out.n += b.len()
	}
	return out
}

// single gives the only set that decides, if it is one.
func (x *attrIndex) single() *set {
	if len(x.sets) == 1 && x.planes == nil && x.also == nil && x.odd == nil && x.pred.op != opMissing {
		return x.sets[0]
	}
	return nil
}

// onlyPlanes reports whether nothing but the planes decides.
func (x *attrIndex) onlyPlanes() bool {
	return x.planes != nil && len(x.sets) == 0 && x.also == nil && x.odd == nil && x.pred.op != opMissing
}

// eval writes who in a block passes; for opMissing, who does not.
func (x *attrIndex) eval(block int, out *[blockWords]uint64) {
	if x.planes != nil {
		x.planes.within(block, x.lo, x.hi, out)
	} else {
		clear(out[:])
	}
	var more [blockWords]uint64
	if x.also != nil && x.also.n > 0 {
		x.also.has(block, &more)
		for i := range out {
			out[i] |= more[i]
		}
	}
	for _, s := range x.sets {
		b := s.block(block)
		switch {
		case b == nil:
		case b.words != nil:
			for i, w := range b.words {
				out[i] |= w
			}
		default:
			for _, low := range b.array {
				out[low>>6] |= 1 << (low & 63)
			}
		}
	}
	for d := range x.odd {
		if int(d>>blockBits) == block {
			low := uint16(d)
			out[low>>6] |= 1 << (low & 63)
		}
	}
}

// bytes is the memory that the column takes. A map is on average two thirds full.
func (c *attrColumn) bytes() int {
	entries := func(n, size int) int { return n * size * 3 / 2 }
	n := c.numbers.bytes() + c.times.bytes() + c.codes.bytes(4) + c.coded.bytes() + c.values.bytes(sizeOfValue) + 4*cap(c.refs) + 4*cap(c.free)
	n += entries(len(c.odd), 8+sizeOfValue) + entries(len(c.byCode), sizeOfValue+8) + entries(len(c.sets)+len(c.tags), sizeOfValue+8)
	for v := range c.byCode {
		if v.Kind() != profile.Bool {
			n += (len(v.String()) + 15) &^ 15
		}
	}
	for _, s := range c.sets {
		n += s.bytes()
	}
	for _, s := range c.tags {
		n += s.bytes()
	}
	return n
}
