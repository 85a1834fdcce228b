package profile

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrConfig reports a configuration that a [Directory] cannot work with; the
// text names the field.
var ErrConfig = errors.New("profile: invalid configuration")

// Use says what the identifiers of a [Kind] are good for.
type Use uint8

const (
	// Links identifiers tie evidence together and find a customer. It is the zero Use.
	Links Use = iota
	// LooksUp identifiers find a customer and never tie evidence together.
	LooksUp
	// Kept identifiers stay with the event that reported them and do neither:
	// tokens that a marketplace mints for one order.
	Kept
)

var useNames = [...]string{"links", "looks_up", "kept"}

func (u Use) String() string {
	if int(u) < len(useNames) {
		return useNames[u]
	}
	return "unknown"
}

// MarshalText writes the name of u.
func (u Use) MarshalText() ([]byte, error) {
	if int(u) >= len(useNames) {
		return nil, fmt.Errorf("%w: use %d", ErrConfig, u)
	}
	return []byte(useNames[u]), nil
}

// UnmarshalText reads what MarshalText writes.
func (u *Use) UnmarshalText(b []byte) error {
	i := slices.Index(useNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%w: unknown use %q", ErrConfig, b)
	}
	*u = Use(i)
	return nil
}

// Kind declares the rules for the identifiers of one name: "phone" rules
// {"phone", …}, "wechat.openid" rules {"wechat.openid/wx12ab", …} for every app.
type Kind struct {
	// Name is the part of Identifier.Kind before the slash.
	Name string `json:"name"`
	// Use says whether values link evidence, only look a profile up, or neither.
	Use Use `json:"use,omitempty"`
	// Priority orders the identifiers of one event: the strongest, with the
	// least number, is the root, to whose profile the event belongs.
	Priority int `json:"priority,omitempty"`
	// Limit is the most values that one profile may hold; a link that would
	// exceed it is refused. 0 sets no limit.
	Limit int `json:"limit,omitempty"`
	// Within makes Limit count only values whose first sights lie less than
	// this apart. 0 counts every value ever seen.
	Within time.Duration `json:"within,omitempty"`
	// PerScope makes Limit count each scope apart: one membership per brand.
	PerScope bool `json:"per_scope,omitempty"`
	// Unique is for kinds that only look up: a value answers to the one profile
	// whose evidence held it first. Otherwise a value on several profiles is
	// ambiguous. A linking value always has one profile.
	Unique bool `json:"unique,omitempty"`
	// ByBrand gives an identifier without a scope its event's brand as scope.
	ByBrand bool `json:"by_brand,omitempty"`
	// Normalizer names the function that brings values into one form: "text"
	// (the default), "opaque", "email", "phone.cn", "phone.e164", or one of
	// Config.Normalizers.
	Normalizer string `json:"normalizer,omitempty"`
	// Blocked are values that never link nor look up: the shop's own number.
	Blocked []string `json:"blocked,omitempty"`
	// BlockedPatterns are regular expressions (RE2) over the normalized value.
	BlockedPatterns []string `json:"blocked_patterns,omitempty"`
}

// DefaultKinds are the kinds of a zero [Config], strongest first. Limits keep
// households and shared devices apart: one membership per brand, one WeChat
// union per platform account, one openid per app, three phones, five e-mail
// addresses; any number of devices and cookies.
func DefaultKinds() []Kind {
	return []Kind{
		{Name: "member", Priority: 10, Limit: 1, PerScope: true, ByBrand: true},
		{Name: "wechat.unionid", Priority: 20, Limit: 1, PerScope: true},
		{Name: "phone", Priority: 30, Limit: 3, Normalizer: "phone.cn"},
		{Name: "email", Priority: 40, Limit: 5, Normalizer: "email"},
		{Name: "wechat.openid", Priority: 50, Limit: 1, PerScope: true},
		{Name: "alipay.userid", Priority: 60, Limit: 1, PerScope: true},
		{Name: "wecom.external", Priority: 70, Limit: 1, PerScope: true},
		{Name: "tmall.oaid", Priority: 80, Limit: 3, PerScope: true},
		{Name: "account", Priority: 90, Limit: 1, PerScope: true},
		{Name: "device", Priority: 100},
		{Name: "cookie", Priority: 110},
		{Name: "order", Use: LooksUp, Priority: 200, Unique: true},
		{Name: "order.token", Use: Kept, Priority: 210},
	}
}

// kind is a Kind made ready.
type kind struct {
	Kind
	limit     *limit // nil for none, and for one per scope
	normalize Normalizer
	blocked   map[string]struct{}
	patterns  []*regexp.Regexp
}

func compileKind(k Kind, normalizers map[string]Normalizer) (*kind, error) {
	bad := func(field, why string) (*kind, error) {
		return nil, fmt.Errorf("%w: Kinds: %s: %s %s", ErrConfig, k.Name, field, why)
	}
	if k.Name == "" || len(k.Name) > maxName || strings.ContainsAny(k.Name, "/\x00") || checkText(k.Name) != nil {
		return nil, fmt.Errorf("%w: Kinds: a name is 1 to %d bytes of text without slash", ErrConfig, maxName)
	}
	switch {
	case k.Use > Kept:
		return bad("Use", "is unknown")
	case k.Limit < 0:
		return bad("Limit", "is negative")
	case k.Within < 0 || k.Within > 0 && k.Limit == 0:
		return bad("Within", "needs a Limit and is not negative")
	case k.PerScope && k.Limit == 0:
		return bad("PerScope", "needs a Limit")
	case k.Limit > 0 && k.Use != Links:
		return bad("Limit", "is for kinds that link")
	case k.Unique && k.Use != LooksUp:
		return bad("Unique", "is for kinds that only look up")
	}
	c := &kind{Kind: k, blocked: map[string]struct{}{}}
	name := cmp.Or(k.Normalizer, "text")
	if c.normalize = normalizers[name]; c.normalize == nil {
		if c.normalize = builtinNormalizer(name); c.normalize == nil {
			return bad("Normalizer", "is not registered")
		}
	}
	for _, v := range k.Blocked {
		n, reason := c.normalize(v)
		if reason != 0 {
			return bad("Blocked", "holds a value that is "+reason.String())
		}
		c.blocked[n] = struct{}{}
	}
	for _, p := range k.BlockedPatterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return bad("BlockedPatterns", err.Error())
		}
		c.patterns = append(c.patterns, re)
	}
	return c, nil
}

func (k *kind) blocks(value string) bool {
	if _, ok := k.blocked[value]; ok {
		return true
	}
	for _, re := range k.patterns {
		if re.MatchString(value) {
			return true
		}
	}
	return false
}

// scoped is a kind with the scope that an identifier carries: the app, the
// platform, the shop, the brand.
type scoped struct {
	*kind
	full  string // the kind as identifiers write it
	index int    // numbers the scoped kinds from 0
	limit *limit // nil for none
}
