package text_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback/text"
)

// reviews reads labelled Chinese reviews by CXKIT_DATA, then beside the repository.
func reviews(t testing.TB) (good, bad []string) {
	t.Helper()
	read := func(dir, name string) (lines []string) {
		f, err := os.Open(filepath.Join(dir, "zh", name))
		if err != nil {
			return nil
		}
		defer f.Close()
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			if s := strings.TrimSpace(sc.Text()); utf8.RuneCountInString(s) >= 4 {
				lines = append(lines, s)
			}
		}
		require.NoError(t, sc.Err())
		return lines
	}
	for _, dir := range []string{os.Getenv("CXKIT_DATA"), "../../../shared/data"} {
		if good, bad = read(dir, "pos.txt"), read(dir, "neg.txt"); len(good) > 0 && len(bad) > 0 {
			return good, bad
		}
	}
	t.Skip("no zh/pos.txt under CXKIT_DATA or ../shared/data beside the repository")
	return nil, nil
}

func newRules(t testing.TB) *text.Rules {
	t.Helper()
	l, err := text.NewLexicon(nil)
	require.NoError(t, err)
	r, err := text.NewRules(text.RetailTopics(), l)
	require.NoError(t, err)
	return r
}

func TestMentionsCarryTheirEvidence(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"质量很好，但是物流太慢了！", []string{"product/quality + 质量 | 质量很好", "delivery/speed - 物流 | 但是物流太慢了"}},
		{"衣服尺码偏大，客服态度恶劣", []string{"product/size 0 尺码 | 衣服尺码偏大", "service/staff - 客服 | 客服态度恶劣"}},
		{"Great fabric but the delivery was late.", []string{"product/quality + fabric | Great fabric ", "delivery/speed - delivery | but the delivery was late"}},
		{"The SHOES were too small; staff not helpful", []string{"product/size 0 too small | The SHOES were too small", "service/staff - staff |  staff not helpful"}},
		{"Ｐｒｉｃｅｓ are fine", []string{"price 0 Ｐｒｉｃｅｓ | Ｐｒｉｃｅｓ are fine"}},
		{"贵宾厅不错", nil},
		{"fitness and boxing classes", nil},
		{"包装破损，快递小哥很热情", []string{"delivery/packaging - 包装 | 包装破损", "delivery/speed + 快递 | 快递小哥很热情"}},
	} {
		var got []string
		for _, m := range newRules(t).Tag(c.text) {
			name, sign := m.Topic, "0"
			if m.Aspect != "" {
				name += "/" + m.Aspect
			}
			if m.Sentiment > 0 {
				sign = "+"
			} else if m.Sentiment < 0 {
				sign = "-"
			}
			got = append(got, fmt.Sprintf("%s %s %s | %s", name, sign, m.Span.Of(c.text), m.Clause.Of(c.text)))
		}
		assert.Equal(t, c.want, got, c.text)
	}
}

func TestRulesRoundTripAndRefuseNonsense(t *testing.T) {
	b, err := json.Marshal(newRules(t))
	require.NoError(t, err)
	var back text.Rules
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, text.RetailTopics(), back.Topics())
	for bad, says := range map[string]string{
		`{"format":2}`: "format 2",
		`{"format":1,"topics":[{"name":"x","any":[]}]}`:                             "no terms",
		`{"format":1,"topics":[{"name":"x","any":[" "]}]}`:                          "is empty",
		`{"format":1,"topics":[{"name":"x","all":["a"]}]}`:                          "unknown field",
		`{"format":1,"topics":[{"name":"x","any":["a"]},{"name":"x","any":["b"]}]}`: "twice",
	} {
		err := json.Unmarshal([]byte(bad), &back)
		require.ErrorIs(t, err, text.ErrInvalid, bad)
		assert.ErrorContains(t, err, says)
	}
	assert.Equal(t, text.RetailTopics(), back.Topics(), "a refused document changes nothing")
}

func TestNegationAndDegree(t *testing.T) {
	l, err := text.NewLexicon(map[string]float64{"绝绝子": 1, "fine": .5})
	require.NoError(t, err)
	for s, sign := range map[string]int{
		"很好": 1, "不好": -1, "不是很好": -1, "没有问题": 0, "not bad": 0, "not good at all": -1, "I don't like it": -1,
		"最好不要买": 0, "绝绝子": 1, "": 0, "这是一本书": 0, "fine": 1, "快递不快": -1,
	} {
		got := l.Score(s)
		switch {
		case sign > 0:
			assert.Positive(t, got, s)
		case sign < 0:
			assert.Negative(t, got, s)
		default:
			assert.Zero(t, got, s)
		}
	}
	assert.Greater(t, l.Score("好，不过有点贵"), l.Score("好，不过很贵"))
	_, err = text.NewLexicon(map[string]float64{"x": 2})
	assert.ErrorIs(t, err, text.ErrInvalid)
}

// TestScorersOnRealReviews measures both scorers on Chinese reviews of goods
// and hotels; the model learns from half of the lines and is tried on a quarter of
// the others.
func TestScorersOnRealReviews(t *testing.T) {
	good, bad := reviews(t)
	l, err := text.NewLexicon(nil)
	require.NoError(t, err)
	var trainer text.Trainer
	for i := 0; i < max(len(good), len(bad)); i += 2 {
		if i < len(good) {
			trainer.Learn(good[i], true)
		}
		if i < len(bad) {
			trainer.Learn(bad[i], false)
		}
	}
	model, err := trainer.Model(2)
	require.NoError(t, err)
	measure := func(s text.Scorer) (accuracy, decided float64) {
		right, said, all := 0, 0, 0
		for label, lines := range [][]string{bad, good} {
			for i := 1; i < len(lines); i += 8 {
				all++
				if v := s.Score(lines[i]); v != 0 {
					said++
					if v > 0 == (label == 1) {
						right++
					}
				}
			}
		}
		return float64(right) / float64(said), float64(said) / float64(all)
	}
	accuracy, decided := measure(model)
	t.Logf("model: right %.3f, decided %.3f", accuracy, decided)
	assert.Greater(t, accuracy, .85)
	assert.Greater(t, decided, .99)
	accuracy, decided = measure(l)
	t.Logf("lexicon: right %.3f, decided %.3f", accuracy, decided)
	assert.Greater(t, accuracy, .75)
	assert.Greater(t, decided, .6)

	b, err := json.Marshal(model)
	require.NoError(t, err)
	var back text.Bayes
	require.NoError(t, json.Unmarshal(b, &back))
	for _, s := range good[:100] {
		require.Equal(t, model.Score(s), back.Score(s))
	}
}

func TestAModelNeedsBothLabelsAndSoundCounts(t *testing.T) {
	var tr text.Trainer
	tr.Learn("好", true)
	_, err := tr.Model(1)
	require.ErrorIs(t, err, text.ErrInvalid)
	tr.Learn("差", false)
	m, err := tr.Model(1)
	require.NoError(t, err)
	assert.Positive(t, m.Score("好"))
	assert.Negative(t, m.Score("差"))
	assert.Zero(t, m.Score("书"))
	for _, bad := range []string{
		`{"format":1,"docs":[1,0],"features":{}}`, `{"format":1,"docs":[1,1],"features":{"x":[2,0]}}`,
		`{"format":1,"docs":[1,1],"features":{"x":[-1,0]}}`, `{"format":7,"docs":[1,1],"features":{}}`,
	} {
		assert.ErrorIs(t, json.Unmarshal([]byte(bad), m), text.ErrInvalid, bad)
	}
}

func TestSegmenting(t *testing.T) {
	w, err := text.NewWords([]string{"上海", "上海市", "连衣裙", "iPhone 15"})
	require.NoError(t, err)
	words := func(s string) (out []string) {
		for _, x := range w.Segment(s) {
			out = append(out, x.Of(s))
		}
		return out
	}
	assert.Equal(t, []string{"上海市", "的", "连衣裙", "很", "好"}, words("上海市的连衣裙，很好！"))
	assert.Equal(t, []string{"I", "don't", "like", "the", "ＩＰＨＯＮＥ 15", "pro"}, words("I don't like the ＩＰＨＯＮＥ 15 pro."))
	assert.Equal(t, []string{"好", "书"}, func() (out []string) {
		for _, x := range new(text.Words).Segment("好书") {
			out = append(out, x.Of("好书"))
		}
		return out
	}())
	_, err = text.NewWords([]string{""})
	assert.ErrorIs(t, err, text.ErrInvalid)
}

func TestPersonalDataIsMasked(t *testing.T) {
	for in, want := range map[string]string{
		"请打13800138000找我":                        "请打[phone]找我",
		"电话 +86 138-0013-8000。":                  "电话 [phone]。",
		"手机１３８００１３８０００":                          "手机[phone]",
		"手机一三八零零一三八零零零谢谢":                        "手机[phone]谢谢",
		"座机021-62345678，分机8":                     "座机[phone]，分机8",
		"call +1 (415) 555-2671 now":             "call [phone] now",
		"邮箱 Li.Wei@example.com.cn 收":             "邮箱 [email] 收",
		"身份证11010519491231002X":                  "身份证[id_card]",
		"卡号 6222 0212 3456 7895":                 "卡号 6222 0212 3456 7895",
		"卡号 4111-1111-1111-1111":                 "卡号 [bank_card]",
		"加我微信：liwei_1990":                        "加我微信：[account]",
		"QQ号是 12345678":                          "QQ号是 [account]",
		"导购王女士很热情":                               "导购[name]女士很热情",
		"Mrs. O'Brien was kind":                  "Mrs. [name] was kind",
		"寄到长宁路1600弄12号302室":                      "[address]",
		"send it to 12 Old Mill Road please":     "send it to [address] please",
		"订单号 20260301123456 有问题":                 "订单号 20260301123456 有问题",
		"花了1380元，13天到货，用了138001380001234567890天": "花了1380元，13天到货，用了138001380001234567890天",
		"老先生很满意":                                 "老先生很满意",
		"":                                       "",
	} {
		assert.Equal(t, want, text.Mask(in), in)
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{"请打13800138000", "a@b.co", "11010519491231002X", "微信：liwei_1990", "长宁路1600弄", "\xff１３８", "K٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		for _, found := range text.Find(s) {
			require.GreaterOrEqual(t, found.Span.Start, end, "in order and apart")
			require.Greater(t, found.Span.End, found.Span.Start)
			require.LessOrEqual(t, found.Span.End, len(s))
			end = found.Span.End
		}
		once := text.Mask(s)
		require.Equal(t, once, text.Mask(once))
	})
}

func FuzzTag(f *testing.F) {
	f.Add("质量很好，但是物流太慢了！")
	f.Add("Great fabric\xff but… İt's ＬＡＴＥ")
	l, err := text.NewLexicon(nil)
	require.NoError(f, err)
	r, err := text.NewRules(text.RetailTopics(), l)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range r.Tag(s) {
			require.NotEmpty(t, m.Span.Of(s))
			require.LessOrEqual(t, m.Clause.Start, m.Span.Start)
			require.GreaterOrEqual(t, m.Clause.End, m.Span.End)
			require.LessOrEqual(t, m.Sentiment, 1.0)
			require.GreaterOrEqual(t, m.Sentiment, -1.0)
		}
		for _, w := range new(text.Words).Segment(s) {
			require.NotEmpty(t, w.Of(s))
		}
	})
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"format":1,"topics":[{"name":"x","aspect":"y","any":["好"],"with":["a"],"not":["b"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r text.Rules
		if json.Unmarshal(b, &r) == nil {
			out, err := json.Marshal(&r)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(out, &r))
			r.Tag("好 a x")
		}
	})
}

func FuzzBayes(f *testing.F) {
	f.Add([]byte(`{"format":1,"docs":[1,1],"features":{"好":[0,1]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m text.Bayes
		if json.Unmarshal(b, &m) == nil {
			s := m.Score("好 a x")
			require.False(t, s != s || s > 1 || s < -1)
		}
	})
}

func BenchmarkTag(b *testing.B) {
	r := newRules(b)
	s := strings.Repeat("质量很好，但是物流太慢了！客服态度不错。", 5)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		r.Tag(s)
	}
}

func BenchmarkMask(b *testing.B) {
	s := strings.Repeat("质量很好，但是物流太慢了！客服13800138000态度不错。", 5)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		text.Mask(s)
	}
}
