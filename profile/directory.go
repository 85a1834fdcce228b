package profile

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config sets up a [Directory]. The zero Config keeps everything in memory,
// with [DefaultKinds] and the Latest policy for every trait.
type Config struct {
	// Kinds declares the identifiers. Default: DefaultKinds().
	Kinds []Kind
	// Normalizers are the caller's own, by the name that a Kind gives. They
	// go before the built-in ones.
	Normalizers map[string]Normalizer
	// Traits declares rules for traits. A trait without one is Latest.
	Traits []TraitRule
	// Sources ranks the sources of events, best first; those not listed rank last.
	Sources []string
	// SingleRelations are the types of relation of which a customer has one at a
	// time: a new assistant replaces the former. Default: "assistant" and "outlet".
	SingleRelations []string
	// MaxAhead is how far in the future an event may lie, for clocks that
	// run fast. Default: 24 hours. Negative: not at all.
	MaxAhead time.Duration
	// KeepChanges is how many rows of the change feed are kept at least; a
	// cursor before them gets [ErrCursorExpired]. Default: 0, all.
	KeepChanges int
	// Retention says what is over when; see [Directory.Retain]. Default: nothing ever is.
	Retention Retention
	// ErasureKeys are the secrets under which erasures are remembered, of at
	// least 16 bytes each. The first is used for new ones; all are asked, so
	// put a new key before the old ones to rotate, and drop a key when what it
	// remembers may be forgotten. Default: none; Erase is [ErrNoErasureKey].
	ErasureKeys [][]byte
	// Store keeps the directory outside the process. Default: none; the
	// directory lives in memory, at its fastest.
	Store Store
	// Now is the clock by which the directory records. Default: time.Now.
	Now func() time.Time
	// NewID mints the IDs of profiles; each must be new and valid. Default:
	// UUID version 7.
	NewID func() ID
}

// Directory knows who the customers are. All methods are safe for concurrent use.
type Directory struct {
	present  atomic.Pointer[rules]
	config   Config // as given, with the present rules
	store    Store
	newID    func() ID
	now      func() time.Time
	maxAhead int64 // microseconds

	mu    sync.RWMutex // guards graph and config; over a Store, held to write while the rules change
	graph *graph
	ruled atomic.Bool // the Store is known to be resolved under the present rules
}

// rules are those that hold now.
func (d *Directory) rules() *rules { return d.present.Load() }

// New makes a Directory. An error matches [ErrConfig] and names the field.
func New(cfg Config) (*Directory, error) {
	r, err := compileRules(cfg, nil)
	if err != nil {
		return nil, err
	}
	if cfg.KeepChanges < 0 {
		return nil, fmt.Errorf("%w: KeepChanges is negative", ErrConfig)
	}
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	newID := cfg.NewID
	if newID == nil {
		newID = func() ID { return mintID(now()) }
	}
	maxAhead := cfg.MaxAhead
	switch {
	case maxAhead == 0:
		maxAhead = 24 * time.Hour
	case maxAhead < 0:
		maxAhead = 0
	}
	d := &Directory{
		config:   cfg,
		store:    cfg.Store,
		newID:    newID,
		now:      now,
		maxAhead: maxAhead.Microseconds(),
		graph:    newGraph(r, now, newID, cfg.KeepChanges, directoryShards),
	}
	d.present.Store(r)
	return d, nil
}

// mintID makes a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then
// randomness.
func mintID(now time.Time) ID {
	var b [16]byte
	rand.Read(b[6:]) // never fails, by its contract
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], b[:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return ID(text[:])
}

// rules is the configuration made ready. It does not change.
type rules struct {
	kinds   map[string]*kind
	traits  map[string]TraitRule
	sources map[string]int

	erasureKeys [][]byte
	single      []string
	retention   retention

	scoped atomic.Pointer[map[string]*scoped] // replaced whole, to be read without a lock
	recent map[string]*scoped                 // not yet in scoped; mu guards it
	mu     sync.Mutex
	scopes *scopes
}

// scopes number the scoped kinds from 0, the same under all rules of a directory.
type scopes struct {
	mu      sync.Mutex
	numbers map[string]int
}

func (s *scopes) number(full string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.numbers[full]
	if !ok {
		n = len(s.numbers)
		s.numbers[full] = n
	}
	return n
}

// limit is how many values count together, and how many there may be.
type limit struct {
	kind   string // names and orders limits
	most   int
	within int64 // microseconds; 0 for ever
}

// compileRules makes a configuration ready, as the successor of other rules or of none.
func compileRules(cfg Config, before *rules) (*rules, error) {
	kinds := cfg.Kinds
	if kinds == nil {
		kinds = DefaultKinds()
	}
	r := &rules{
		kinds:   make(map[string]*kind, len(kinds)),
		traits:  make(map[string]TraitRule, len(cfg.Traits)),
		sources: ranking(cfg.Sources),
		recent:  map[string]*scoped{},
		scopes:  &scopes{numbers: map[string]int{}},
	}
	r.scoped.Store(&map[string]*scoped{})
	if before != nil {
		r.scopes = before.scopes
	}
	r.single = slices.Clone(cfg.SingleRelations)
	if cfg.SingleRelations == nil {
		r.single = []string{"assistant", "outlet"}
	}
	for _, k := range cfg.ErasureKeys {
		if len(k) < minErasureKey {
			return nil, fmt.Errorf("%w: ErasureKeys: a key has less than %d bytes", ErrConfig, minErasureKey)
		}
		r.erasureKeys = append(r.erasureKeys, bytes.Clone(k))
	}
	for _, k := range kinds {
		c, err := compileKind(k, cfg.Normalizers)
		if err != nil {
			return nil, err
		}
		if r.kinds[k.Name] != nil {
			return nil, fmt.Errorf("%w: Kinds: %s is declared twice", ErrConfig, k.Name)
		}
		if k.Limit > 0 && !k.PerScope {
			c.limit = newLimit(c, k.Name)
		}
		r.kinds[k.Name] = c
	}
	var err error
	if r.retention, err = compileRetention(cfg.Retention, r.kinds); err != nil {
		return nil, err
	}
	for _, t := range cfg.Traits {
		if err := t.check(); err != nil {
			return nil, err
		}
		if _, ok := r.traits[t.Name]; ok {
			return nil, fmt.Errorf("%w: Traits: %s is declared twice", ErrConfig, t.Name)
		}
		r.traits[t.Name] = t
	}
	return r, nil
}

// trait finds the rule of a trait: its own, or the longest prefix.
func (r *rules) trait(name string) TraitRule {
	if rule, ok := r.traits[name]; ok {
		return rule
	}
	for i := len(name); i >= 0; i-- {
		if rule, ok := r.traits[name[:i]+"*"]; ok {
			return rule
		}
	}
	return TraitRule{}
}

func newLimit(k *kind, name string) *limit {
	return &limit{kind: name, most: k.Limit, within: k.Within.Microseconds()}
}

// name resolves an identifier's kind and scope and normalizes its value.
func (r *rules) name(id Identifier, brand string) (name, Reason) {
	s, reason := r.scopedKind(id.Kind, brand)
	if reason != 0 {
		return name{}, reason
	}
	v, reason := s.clean(id.Value)
	if reason != 0 {
		return name{}, reason
	}
	return name{kind: s, value: v}, 0
}

func (r *rules) scopedKind(full, brand string) (*scoped, Reason) {
	if s := (*r.scoped.Load())[full]; s != nil && (brand == "" || !s.ByBrand || s.full != s.Name) {
		return s, 0
	}
	base, scope, _ := strings.Cut(full, "/")
	k := r.kinds[base]
	switch {
	case k == nil:
		return nil, ReasonUnknownKind
	case len(full) > MaxValueBytes:
		return nil, ReasonTooLong
	case checkText(full) != nil:
		return nil, ReasonMalformed
	}
	if scope == "" {
		full = base
		if k.ByBrand && brand != "" {
			full = base + "/" + brand
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := (*r.scoped.Load())[full]; s != nil {
		return s, 0
	}
	if s := r.recent[full]; s != nil {
		return s, 0
	}
	s := &scoped{kind: k, full: strings.Clone(full), limit: k.limit}
	s.index = r.scopes.number(s.full)
	if k.PerScope {
		s.limit = newLimit(k, s.full)
	}
	r.recent[s.full] = s
	if known := *r.scoped.Load(); len(r.recent) > len(known)/8 {
		all := maps.Clone(known)
		maps.Copy(all, r.recent)
		r.scoped.Store(&all)
		clear(r.recent)
	}
	return s, 0
}
