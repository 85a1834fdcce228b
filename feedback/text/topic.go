package text

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Topic is what comments may be about, by the words that say so.
type Topic struct {
	// Name is the topic, such as "delivery"; Aspect a part of it, such as
	// "speed", or empty.
	Name   string `json:"name"`
	Aspect string `json:"aspect,omitempty"`
	// Any are the terms that mention it, in any language. Case and width do
	// not matter. English terms match whole words, with a plural s or es.
	Any []string `json:"any"`
	// With must be in the same clause too, at least one of it, where given.
	With []string `json:"with,omitempty"`
	// Not rules a clause out that has one of it.
	Not []string `json:"not,omitempty"`
}

// Mention is one place at which a text is about a topic.
type Mention struct {
	Topic  string `json:"topic"`
	Aspect string `json:"aspect,omitempty"`
	// Span is the term found, Clause the statement around it: the evidence.
	Span   Span `json:"span"`
	Clause Span `json:"clause"`
	// Sentiment is that of the clause by the rules' scorer, −1 to 1; 0 without one.
	Sentiment float64 `json:"sentiment"`
}

// String names topic and sentiment without the text.
func (m Mention) String() string {
	name := m.Topic
	if m.Aspect != "" {
		name += "/" + m.Aspect
	}
	return fmt.Sprintf("%s %+.1f at %d–%d", name, m.Sentiment, m.Span.Start, m.Span.End)
}

// Rules is a [Tagger] by topics. Its JSON form carries "format":1 and refuses
// unknown fields; the scorer is not part of it.
type Rules struct {
	topics []Topic
	scorer Scorer
	terms  *trie
	owners [][]int // by term: the topics it mentions
	with   [][]string
	not    [][]string
}

// NewRules compiles topics; scorer may be nil. The error matches [ErrInvalid]
// and names the topic.
func NewRules(topics []Topic, scorer Scorer) (*Rules, error) {
	r := &Rules{scorer: scorer, terms: &trie{}}
	ids := map[string]int{}
	for i, t := range topics {
		fail := func(text string) error { return fmt.Errorf("%w: topic %q: %s", ErrInvalid, t.Name, text) }
		if t.Name == "" || len(t.Any) == 0 {
			return nil, fail("no name or no terms")
		}
		if slices.ContainsFunc(topics[:i], func(o Topic) bool { return o.Name == t.Name && o.Aspect == t.Aspect }) {
			return nil, fail("the same topic and aspect twice")
		}
		var folds [3][]string
		for j, list := range [][]string{t.Any, t.With, t.Not} {
			for _, term := range list {
				f := strings.TrimSpace(foldText(term).text)
				if f == "" || utf8.RuneCountInString(f) > maxTermRunes {
					return nil, fail(fmt.Sprintf("term %q is empty or longer than %d characters", term, maxTermRunes))
				}
				folds[j] = append(folds[j], f)
			}
		}
		for _, term := range folds[0] {
			for _, form := range forms(term) {
				id := ids[form]
				if id == 0 {
					r.owners = append(r.owners, nil)
					id = len(r.owners)
					ids[form] = id
					r.terms.add(form, id)
				}
				if !slices.Contains(r.owners[id-1], i) {
					r.owners[id-1] = append(r.owners[id-1], i)
				}
			}
		}
		t.Any, t.With, t.Not = slices.Clone(t.Any), slices.Clone(t.With), slices.Clone(t.Not)
		r.topics = append(r.topics, t)
		r.with, r.not = append(r.with, folds[1]), append(r.not, folds[2])
	}
	return r, nil
}

// forms are a term and, where it ends in a Latin letter, its plurals.
func forms(term string) []string {
	last := term[len(term)-1]
	if last < 'a' || last > 'z' {
		return []string{term}
	}
	if last == 's' {
		return []string{term, term + "es"}
	}
	return []string{term, term + "s", term + "es"}
}

// Tag implements [Tagger]. At a position the longest term counts; a topic is
// mentioned once per clause, at its first term.
func (r *Rules) Tag(text string) []Mention {
	f := foldText(text)
	var out []Mention
	for _, c := range clauses(f) {
		s := f.text[c.Start:c.End]
		var found []int
		scored, sentiment := false, 0.0
		for i := 0; i < len(s); {
			end, id, ok := r.terms.longest(s, i)
			if !ok {
				_, n := utf8.DecodeRuneInString(s[i:])
				i += n
				continue
			}
			for _, topic := range r.owners[id-1] {
				if slices.Contains(found, topic) || len(r.with[topic]) > 0 && !hasAny(s, r.with[topic]) || hasAny(s, r.not[topic]) {
					continue
				}
				found = append(found, topic)
				clause := f.span(c.Start, c.End)
				if !scored && r.scorer != nil {
					sentiment, scored = r.scorer.Score(clause.Of(text)), true
				}
				t := r.topics[topic]
				out = append(out, Mention{
					Topic: t.Name, Aspect: t.Aspect, Span: f.span(c.Start+i, c.Start+end), Clause: clause, Sentiment: sentiment,
				})
			}
			i = end
		}
	}
	slices.SortStableFunc(out, func(a, b Mention) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return out
}

func hasAny(text string, terms []string) bool {
	for i := range text {
		for _, t := range terms {
			if hasWord(text, i, t) {
				return true
			}
		}
	}
	return false
}

// Topics returns what the rules were made from.
func (r *Rules) Topics() []Topic { return slices.Clone(r.topics) }

type rulesJSON struct {
	Format int     `json:"format"`
	Topics []Topic `json:"topics"`
}

// MarshalJSON writes the topics with their format version.
func (r *Rules) MarshalJSON() ([]byte, error) {
	return json.Marshal(rulesJSON{formatVersion, r.topics})
}

// UnmarshalJSON reads what MarshalJSON writes and keeps the scorer that r has;
// the error matches [ErrInvalid].
func (r *Rules) UnmarshalJSON(b []byte) error {
	var w rulesJSON
	if err := decodeStrict(b, &w); err != nil {
		return fmt.Errorf("%w: rules: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: rules: format %d, want %d", ErrInvalid, w.Format, formatVersion)
	}
	out, err := NewRules(w.Topics, r.scorer)
	if err != nil {
		return err
	}
	*r = *out
	return nil
}

// RetailTopics are topics that comments on shops are commonly about, in Chinese
// and English: a start to be adapted.
func RetailTopics() []Topic {
	return []Topic{
		{Name: "delivery", Aspect: "speed", Any: []string{
			"物流", "快递", "送货", "发货", "配送", "到货", "派送", "delivery", "shipping", "shipment", "courier", "arrived", "dispatch",
		}, Not: []string{"包装", "packaging"}},
		{Name: "delivery", Aspect: "packaging", Any: []string{"包装", "外箱", "纸箱", "盒子", "压坏", "packaging", "package", "parcel", "box"}},
		{Name: "product", Aspect: "quality", Any: []string{
			"质量", "做工", "品质", "材质", "面料", "手感", "掉色", "起球", "开线", "瑕疵", "quality", "material", "fabric", "stitching", "workmanship",
			"defect", "defective", "broken", "broke",
		}},
		{Name: "product", Aspect: "size", Any: []string{
			"尺码", "尺寸", "大小", "码数", "偏大", "偏小", "合身", "合脚", "size", "sizing", "fit", "fits", "too small", "too big", "too tight", "too large",
		}},
		{Name: "product", Aspect: "look", Any: []string{"颜色", "款式", "外观", "样式", "色差", "好看", "color", "colour", "style", "design", "looks"}},
		{Name: "product", Aspect: "authenticity", Any: []string{"正品", "假货", "真假", "冒牌", "高仿", "盗版", "authentic", "genuine", "fake", "counterfeit"}},
		{Name: "price", Any: []string{
			"价格", "价钱", "性价比", "便宜", "实惠", "划算", "降价", "优惠", "贵", "price", "pricing", "expensive", "cheap", "value for money", "overpriced", "discount",
		}, Not: []string{"贵宾", "珍贵", "宝贵"}},
		{Name: "service", Aspect: "staff", Any: []string{
			"服务", "态度", "客服", "店员", "导购", "营业员", "服务员", "前台", "staff", "service", "assistant", "cashier", "support", "agent",
		}, Not: []string{"售后"}},
		{Name: "service", Aspect: "after-sales", Any: []string{
			"售后", "退货", "换货", "退款", "保修", "维修", "返修", "refund", "return", "exchange", "warranty", "repair",
		}},
		{Name: "service", Aspect: "waiting", Any: []string{"排队", "等了", "等待", "久等", "queue", "waited", "waiting", "on hold"}},
		{Name: "store", Any: []string{"门店", "店面", "店铺", "环境", "店里", "停车", "试衣间", "store", "shop floor", "fitting room", "parking", "checkout"}},
		{Name: "points", Any: []string{"积分", "会员", "优惠券", "兑换", "points", "membership", "loyalty", "voucher", "coupon"}},
	}
}
