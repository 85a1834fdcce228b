package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// MergePolicy says what becomes of the memberships of people who turn out to
// be one.
type MergePolicy struct {
	// Card is which account survives. Default: CardOlder.
	Card CardPolicy `json:"card,omitempty"`
	// Tier is the tier of the survivor. Default: TierHigher.
	Tier TierPolicy `json:"tier,omitempty"`
	// Once names the rules whose award a member gets once, such as a welcome
	// gift: of several the first stays and the others are taken back.
	Once []string `json:"once,omitempty"`
}

// CardPolicy is how the surviving account, and with it the card number, is chosen.
type CardPolicy string

// The card policies. What decides nothing is decided by age, then by ID.
const (
	CardOlder  CardPolicy = "older"       // the account opened first
	CardNewer  CardPolicy = "newer"       // the account opened last
	CardTier   CardPolicy = "higher_tier" // the account in the higher tier
	CardLatest CardPolicy = "latest"      // the account used last
)

// TierPolicy is how the tier of the survivor is found.
type TierPolicy string

// The tier policies.
const (
	TierHigher    TierPolicy = "higher"    // the higher of both, with its review
	TierRequalify TierPolicy = "requalify" // what the joint sum gives now
)

// MergeProposal is a merge that somebody may decide on.
type MergeProposal struct {
	// Key is the idempotency key of the merge.
	Key  string `json:"key"`
	From string `json:"from"`
	Into string `json:"into"`
	// Profiles are those bound to From, which are bound to Into then.
	Profiles []profile.ID `json:"profiles"`
	// Tier is what Into will have under TierHigher; under TierRequalify it shows
	// after the merge.
	Tier string `json:"tier,omitempty"`
	// Duplicates are awards to be taken back.
	Duplicates []Duplicate `json:"duplicates,omitempty"`
	// Why says what chose the survivor.
	Why CardPolicy `json:"why"`
}

// Duplicate is an award of a rule that gives once.
type Duplicate struct {
	Award   string `json:"award"`
	Rule    string `json:"rule"`
	Account string `json:"account"`
}

// String says the proposal in words.
func (m MergeProposal) String() string {
	s := fmt.Sprintf("merge %s into %s (the %s card stays)", m.From, m.Into, strings.ReplaceAll(string(m.Why), "_", " "))
	if m.Tier != "" {
		s += ", tier " + m.Tier
	}
	for _, d := range m.Duplicates {
		s += fmt.Sprintf(", %s was given twice", d.Rule)
	}
	return s
}

// member is an account with what decides between accounts.
type member struct {
	loyalty.Account
	tier TierState
	rank int
}

// ProposeMerges proposes merges of all memberships that the profiles given are
// bound to now: after a merge of profiles, the two of the change. It changes nothing.
func (p *Program) ProposeMerges(ctx context.Context, ids ...profile.ID) ([]MergeProposal, error) {
	members, err := p.members(ctx, ids)
	if err != nil || len(members) < 2 {
		return nil, err
	}
	policy := p.cfg.Definition.Merge
	slices.SortFunc(members, func(a, b member) int {
		older := cmp.Or(a.Opened.Compare(b.Opened), strings.Compare(a.ID, b.ID))
		switch policy.Card {
		case CardNewer:
			return -older
		case CardTier:
			return cmp.Or(b.rank-a.rank, older)
		case CardLatest:
			return cmp.Or(b.Recorded.Compare(a.Recorded), older)
		}
		return older
	})
	into := members[0]
	given, err := p.once(ctx, into.ID, nil)
	if err != nil {
		return nil, err
	}
	best := into
	var out []MergeProposal
	for _, from := range members[1:] {
		m := MergeProposal{
			Key:  "merge/" + opaque(escape(from.ID), 40) + "/" + opaque(escape(into.ID), 40) + "/" + strconv.FormatUint(from.Seq, 36),
			From: from.ID, Into: into.ID, Why: policy.Card,
		}
		if from.rank > best.rank {
			best = from
		}
		if policy.Tier == TierHigher {
			m.Tier = best.tier.Tier
		}
		bound, err := p.ledger.Bindings(ctx, loyalty.BindingQuery{Account: from.ID})
		if err != nil {
			return nil, err
		}
		now := p.now()
		for _, b := range bound {
			if b.At(now) && !slices.Contains(m.Profiles, b.Profile) {
				m.Profiles = append(m.Profiles, b.Profile)
			}
		}
		more, err := p.once(ctx, from.ID, given)
		if err != nil {
			return nil, err
		}
		m.Duplicates, given = duplicates(more)
		out = append(out, m)
	}
	return out, nil
}

// members are the live accounts bound to profiles now, each once.
func (p *Program) members(ctx context.Context, ids []profile.ID) ([]member, error) {
	var accounts []string
	for _, id := range ids {
		some, err := p.ledger.Memberships(ctx, id, p.now())
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, some...)
	}
	slices.Sort(accounts)
	var out []member
	for _, id := range slices.Compact(accounts) {
		a, err := p.ledger.Account(ctx, id)
		if errors.Is(err, loyalty.ErrNotFound) {
			continue // a card without a transaction has nothing to merge
		}
		if err != nil {
			return nil, err
		}
		if a.MergedInto != "" || a.Kind != loyalty.Membership {
			continue
		}
		m := member{Account: a}
		if p.cfg.Definition.Tiers != nil {
			if m.tier, err = p.Tier(ctx, id); err != nil {
				return nil, err
			}
			m.rank = p.cfg.Definition.Tiers.rank(m.tier.Tier)
		}
		out = append(out, m)
	}
	return out, nil
}

// gift is an award of a rule that gives once.
type gift struct {
	Duplicate
	at time.Time
}

// once adds the standing awards of an account by rules that give once.
func (p *Program) once(ctx context.Context, account string, to []gift) ([]gift, error) {
	if len(p.cfg.Definition.Merge.Once) == 0 {
		return to, nil
	}
	for t, err := range p.ledger.Transactions(ctx, account) {
		if err != nil {
			return nil, err
		}
		if t.Kind != loyalty.KindEarn || len(t.Opens) == 0 || t.Links[0].Account != account {
			continue
		}
		rule, _, _ := strings.Cut(t.Opens[0].Rule, "@")
		if !slices.Contains(p.cfg.Definition.Merge.Once, rule) {
			continue
		}
		a, err := p.ledger.Award(ctx, t.Key)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(a.Lines, func(l loyalty.AwardLine) bool { return l.BasisReturned < l.Basis }) {
			to = append(to, gift{Duplicate{t.Key, rule, account}, t.Effective})
		}
	}
	return to, nil
}

// duplicates lists what was given again: of each rule all but the first. kept
// are the firsts.
func duplicates(all []gift) (again []Duplicate, kept []gift) {
	slices.SortStableFunc(all, func(a, b gift) int { return a.at.Compare(b.at) })
	for _, g := range all {
		if slices.ContainsFunc(kept, func(k gift) bool { return k.Rule == g.Rule }) {
			again = append(again, g.Duplicate)
			continue
		}
		kept = append(kept, g)
	}
	return again, kept
}

// Merge carries a proposal out: the lots move, duplicate gifts are taken back,
// the tier is settled, the profiles are bound to the surviving account. Calling
// it again finishes what was interrupted.
func (p *Program) Merge(ctx context.Context, m MergeProposal, reason, actor string) (loyalty.Receipt, error) {
	receipt, err := p.ledger.Post(ctx, loyalty.Merge{Key: m.Key, From: m.From, Into: m.Into, Reason: reason, Actor: actor})
	if err != nil {
		return receipt, err
	}
	for _, d := range m.Duplicates {
		_, err := p.ledger.Post(ctx, loyalty.Return{Key: "once/" + opaque(d.Award, 100), Award: d.Award, Actor: actor})
		if err != nil && !errors.Is(err, loyalty.ErrReversed) {
			return receipt, err
		}
	}
	if p.cfg.Definition.Tiers != nil {
		if err := p.mergeTiers(ctx, m); err != nil {
			return receipt, err
		}
	}
	for _, id := range m.Profiles {
		if err := p.ledger.Bind(ctx, loyalty.Binding{Profile: id, Account: m.Into, Reason: reason, Actor: actor}); err != nil {
			return receipt, err
		}
		err := p.ledger.Revoke(ctx, id, m.From, time.Time{}, reason, actor)
		if err != nil && !errors.Is(err, loyalty.ErrNotFound) {
			return receipt, err
		}
	}
	return receipt, nil
}

func (p *Program) mergeTiers(ctx context.Context, m MergeProposal) error {
	from, err := p.Tier(ctx, m.From)
	if err != nil {
		return err
	}
	for {
		into, err := p.Tier(ctx, m.Into)
		if err != nil {
			return err
		}
		ladder := p.cfg.Definition.Tiers
		if p.cfg.Definition.Merge.Tier == TierRequalify || ladder.rank(from.Tier) <= ladder.rank(into.Tier) {
			break
		}
		next := TierState{Account: m.Into, Tier: from.Tier, Since: p.now(), ReviewAt: from.ReviewAt, Version: into.Version + 1}
		err = p.store.Commit(ctx, TierUpdate{Program: p.ledger.Program(), State: next, Changes: []TierChange{{
			Account: m.Into, From: into.Tier, To: from.Tier, At: p.now(), Unit: ladder.Unit, Merged: m.From,
		}}})
		if err == nil {
			break
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	_, err = p.Review(ctx, m.Into, p.now())
	return err
}
