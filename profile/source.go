package profile

import (
	"math"
	"strings"
)

// sources numbers the names of sources and ranks them.
type sources struct {
	names  []string
	ids    map[string]uint32
	ranks  map[string]int
	ranked []int // by id, under the general ranking
}

func (s *sources) id(name string) uint32 {
	if id, ok := s.ids[name]; ok {
		return id
	}
	id := uint32(len(s.names))
	name = strings.Clone(name)
	s.names = append(s.names, name)
	s.ids[name] = id
	s.ranked = append(s.ranked, rankOf(s.ranks, name))
	return id
}

func rankOf(ranks map[string]int, name string) int {
	if r, ok := ranks[name]; ok {
		return r
	}
	return math.MaxInt
}

func (s *sources) rank(t *trait, id uint32) int {
	if t.ranks != nil {
		return rankOf(t.ranks, s.names[id])
	}
	return s.ranked[id]
}

func ranking(names []string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		m[n] = i
	}
	return m
}
