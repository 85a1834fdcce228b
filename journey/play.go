package journey

import (
	"maps"
	"strings"

	"github.com/cxkit/cxkit/profile"
)

// play is what a simulation of many customers uses again for each of them. The nil
// play is that of everybody else: nothing is used again.
type play struct {
	bare  bool            // nobody reads keys and arguments of effects, so they have none
	texts strings.Builder // keys are parts of its text
	data  []profile.Values
	used  int // of data
}

func (p *play) isBare() bool { return p != nil && p.bare }

// text is the bytes as a string.
func (p *play) text(b []byte) string {
	if p == nil {
		return string(b)
	}
	if p.texts.Cap()-p.texts.Len() < len(b) {
		p.texts.Reset()
		p.texts.Grow(4096)
	}
	n := p.texts.Len()
	p.texts.Write(b)
	return p.texts.String()[n:]
}

// owned is an instance's Data to be changed: a copy, but where nobody else can hold
// it.
func (p *play) owned(data profile.Values, size int) profile.Values {
	switch {
	case p != nil && data != nil:
		return data
	case p != nil:
		if p.used == len(p.data) {
			p.data = append(p.data, make(profile.Values, size))
		}
		p.used++
		return p.data[p.used-1]
	case data == nil:
		return make(profile.Values, size)
	}
	return maps.Clone(data)
}

// again makes everything free for the next customer.
func (p *play) again() {
	for _, data := range p.data[:p.used] {
		clear(data)
	}
	p.used = 0
}
