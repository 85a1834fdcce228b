package text

import "unicode/utf8"

// trie finds the longest of many terms at a position. Terms are folded.
type trie struct {
	next map[rune]*trie
	// id is the term's number from 1; 0 where none ends here.
	id int
}

func (t *trie) add(term string, id int) {
	for _, r := range term {
		if t.next == nil {
			t.next = map[rune]*trie{}
		}
		if t.next[r] == nil {
			t.next[r] = &trie{}
		}
		t = t.next[r]
	}
	t.id = id
}

// longest returns the end and number of the longest term at i; ok is false
// where none is.
func (t *trie) longest(text string, i int) (end, id int, ok bool) {
	if !boundary(text, i) {
		return 0, 0, false
	}
	for j := i; j < len(text); {
		r, n := utf8.DecodeRuneInString(text[j:])
		t = t.next[r]
		if t == nil {
			break
		}
		j += n
		if t.id > 0 && boundary(text, j) {
			end, id, ok = j, t.id, true
		}
	}
	return end, id, ok
}
