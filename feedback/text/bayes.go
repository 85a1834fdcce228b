package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// Bayes is a [Scorer] that has learned from labelled comments which words, and
// which runs of one to three Chinese characters, are more common in good or in
// bad ones (multinomial naive Bayes on presence, with Laplace smoothing). Train
// it with [Trainer].
//
// Its JSON form carries "format":1.
type Bayes struct {
	docs     [2]int64 // bad, good
	features map[string][2]int64
	total    [2]int64
}

// Trainer counts labelled comments. The order of comments does not matter. It
// is not safe for concurrent use.
type Trainer struct {
	docs     [2]int64
	features map[string][2]int64
}

// Learn counts one comment.
func (t *Trainer) Learn(text string, isGood bool) {
	if t.features == nil {
		t.features = map[string][2]int64{}
	}
	label := 0
	if isGood {
		label = 1
	}
	t.docs[label]++
	for _, f := range features(text) {
		n := t.features[f]
		n[label]++
		t.features[f] = n
	}
}

// Model returns what was learned, without features seen in fewer than least
// comments, which carry chance only; 2 or 3 is common. The error matches
// [ErrInvalid] where no good or no bad comment was learned.
func (t *Trainer) Model(least int64) (*Bayes, error) {
	if t.docs[0] == 0 || t.docs[1] == 0 {
		return nil, fmt.Errorf("%w: model: needs good and bad comments", ErrInvalid)
	}
	b := &Bayes{docs: t.docs, features: map[string][2]int64{}}
	for f, n := range t.features {
		if n[0]+n[1] >= least {
			b.features[f] = n
		}
	}
	b.sum()
	return b, nil
}

func (b *Bayes) sum() {
	b.total = [2]int64{}
	for _, n := range b.features {
		b.total[0] += n[0]
		b.total[1] += n[1]
	}
}

// features are the distinct words set apart by spaces, and runs of one to three
// characters of scripts that are not, in order of appearance.
func features(text string) []string {
	f := foldText(text)
	var out []string
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	last, lastAt := rune(0), 0
	prev, prevAt := rune(0), 0
	for i := 0; i < len(f.text); {
		r, n := utf8.DecodeRuneInString(f.text[i:])
		end := i + n
		switch {
		case wordRune(r):
			end = wordEnd(f.text, i)
			add(f.text[i:end])
		case wide(r):
			add(f.text[i:end])
			if wide(last) {
				add(f.text[lastAt:end])
				if wide(prev) {
					add(f.text[prevAt:end])
				}
			}
		}
		prev, prevAt = last, lastAt
		last, lastAt, i = r, i, end
	}
	return out
}

// Score implements [Scorer]: twice the probability of a good comment less one.
// A text without a known feature scores 0.
func (b *Bayes) Score(text string) float64 {
	size := float64(len(b.features))
	var odds float64
	known := 0
	for _, f := range features(text) {
		n, ok := b.features[f]
		if !ok {
			continue
		}
		known++
		odds += math.Log(float64(n[1]+1)/(float64(b.total[1])+size)) -
			math.Log(float64(n[0]+1)/(float64(b.total[0])+size))
	}
	if known == 0 {
		return 0
	}
	odds += math.Log(float64(b.docs[1])) - math.Log(float64(b.docs[0]))
	return math.Tanh(odds / 2)
}

type bayesJSON struct {
	Format   int                 `json:"format"`
	Docs     [2]int64            `json:"docs"`
	Features map[string][2]int64 `json:"features"`
}

// MarshalJSON writes the counts with their format version.
func (b *Bayes) MarshalJSON() ([]byte, error) {
	return json.Marshal(bayesJSON{formatVersion, b.docs, b.features})
}

// UnmarshalJSON reads what MarshalJSON writes; the error matches [ErrInvalid].
func (b *Bayes) UnmarshalJSON(data []byte) error {
	var w bayesJSON
	if err := decodeStrict(data, &w); err != nil {
		return fmt.Errorf("%w: model: %w", ErrInvalid, err)
	}
	switch {
	case w.Format != formatVersion:
		return fmt.Errorf("%w: model: format %d, want %d", ErrInvalid, w.Format, formatVersion)
	case w.Docs[0] <= 0 || w.Docs[1] <= 0 || max(w.Docs[0], w.Docs[1]) > maxDocs:
		return fmt.Errorf("%w: model: numbers of comments", ErrInvalid)
	}
	for _, f := range slices.Sorted(maps.Keys(w.Features)) {
		if n := w.Features[f]; n[0] < 0 || n[1] < 0 || n[0] > w.Docs[0] || n[1] > w.Docs[1] {
			return fmt.Errorf("%w: model: feature %q is in more comments than there are", ErrInvalid, f)
		}
	}
	*b = Bayes{docs: w.Docs, features: w.Features}
	if b.features == nil {
		b.features = map[string][2]int64{}
	}
	b.sum()
	return nil
}

const (
	formatVersion = 1
	maxDocs       = 1 << 40
)

func decodeStrict(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
