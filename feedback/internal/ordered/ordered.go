// Package ordered keeps keys of records in the order of (time, ID), for the
// stores in memory.
package ordered

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Key is a place in the order.
type Key struct {
	Time time.Time
	ID   string
}

// Compare orders keys by time, then by the bytes of the ID.
func (k Key) Compare(o Key) int { return cmp.Or(k.Time.Compare(o.Time), cmp.Compare(k.ID, o.ID)) }

// Index is a sorted set of keys. Adding at the end costs a constant time
// amortized, elsewhere a move of what follows. The zero Index is empty.
type Index struct{ keys []Key }

// Add puts a key in; adding it again changes nothing.
func (x *Index) Add(k Key) {
	if i, found := slices.BinarySearchFunc(x.keys, k, Key.Compare); !found {
		x.keys = slices.Insert(x.keys, i, k)
	}
}

// Remove takes a key out; a key that is not there changes nothing.
func (x *Index) Remove(k Key) {
	if i, found := slices.BinarySearchFunc(x.keys, k, Key.Compare); found {
		x.keys = slices.Delete(x.keys, i, i+1)
	}
}

// Len is the number of keys.
func (x *Index) Len() int { return len(x.keys) }

// From yields the keys from k on, k included, in order. The index must not
// change meanwhile.
func (x *Index) From(k Key) iter.Seq[Key] {
	return func(yield func(Key) bool) {
		i, _ := slices.BinarySearchFunc(x.keys, k, Key.Compare)
		for _, key := range x.keys[i:] {
			if !yield(key) {
				return
			}
		}
	}
}
