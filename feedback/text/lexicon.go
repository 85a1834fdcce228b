package text

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// Lexicon is a [Scorer] by words that are good or bad in themselves. A word of
// negation before one turns it around ("不好", "not good"), one of degree
// strengthens or weakens it. It needs no training; [Bayes] on comments of one's
// own does better.
type Lexicon struct {
	terms  *trie
	weight []float64
}

// NewLexicon returns a lexicon of the built-in words and those given, which
// override: weights from −1 (bad) to +1 (good), 0 takes a word out.
func NewLexicon(words map[string]float64) (*Lexicon, error) {
	l := &Lexicon{terms: &trie{}}
	add := func(term string, w float64) {
		l.weight = append(l.weight, w)
		l.terms.add(term, len(l.weight))
	}
	for _, w := range good {
		add(w, 1)
	}
	for _, w := range bad {
		add(w, -1)
	}
	for _, w := range neutral {
		add(w, 0)
	}
	for _, w := range slices.Sorted(maps.Keys(words)) {
		weight := words[w]
		term := foldText(w).text
		if term == "" || utf8.RuneCountInString(term) > maxTermRunes || !(math.Abs(weight) <= 1) {
			return nil, fmt.Errorf("%w: lexicon: a word is empty or too long, or its weight not from -1 to 1", ErrInvalid)
		}
		add(term, weight)
	}
	return l, nil
}

// reach is how many characters before a word a negation or degree may begin,
// with at most this much between.
const reach = 12

// Score implements [Scorer]: the sum of the words' weights over the number of
// words that have one, by clause, so that a long comment is no better than a
// short one.
func (l *Lexicon) Score(text string) float64 {
	f := foldText(text)
	var sum, n float64
	for _, c := range clauses(f) {
		s := f.text[c.Start:c.End]
		for i := 0; i < len(s); {
			end, id, ok := l.terms.longest(s, i)
			if !ok {
				_, size := utf8.DecodeRuneInString(s[i:])
				i += size
				continue
			}
			if w := l.weight[id-1]; w != 0 {
				sum += w * modifier(s[:i])
				n++
			}
			i = end
		}
	}
	if n == 0 {
		return 0
	}
	return max(-1, min(1, sum/n))
}

// modifier is the factor that the words before a term give it.
func modifier(before string) float64 {
	from := len(before)
	for range reach {
		_, n := utf8.DecodeLastRuneInString(before[:from])
		from -= n
	}
	m := 1.0
	for i := from; i < len(before); {
		end, id, ok := modifiers.longest(before, i)
		if !ok {
			_, n := utf8.DecodeRuneInString(before[i:])
			end = i + n
		} else {
			m *= factors[id-1]
		}
		i = end
	}
	return m
}

// modifiers finds the words of negation and degree, by factor.
var modifiers, factors = func() (*trie, []float64) {
	t, f := &trie{}, []float64{-1, 1.5, 0.5, 1}
	for i, words := range [][]string{negations, strong, weak, plain} {
		for _, w := range words {
			t.add(w, i+1)
		}
	}
	return t, f
}()

var (
	negations = []string{
		"不", "没", "没有", "不是", "不太", "不够", "不怎么", "并不", "毫不", "无", "未", "别", "从不", "绝不", "难以", "谈不上", "算不上",
		"not", "no", "never", "don't", "doesn't", "didn't", "isn't", "wasn't", "aren't", "weren't", "can't", "cannot", "couldn't", "won't", "wouldn't", "hardly", "without",
	}
	strong = []string{
		"很", "非常", "太", "特别", "超", "超级", "极", "极其", "十分", "相当", "最", "真", "真的", "实在", "绝对",
		"very", "really", "so", "too", "extremely", "absolutely", "totally", "super", "highly", "most",
	}
	weak = []string{
		"有点", "有些", "稍", "稍微", "略", "还", "比较", "一点",
		"a bit", "a little", "slightly", "somewhat", "rather", "fairly",
	}
	// plain words hold one of those above and are none.
	plain = []string{
		"不过", "不仅", "不但", "不管", "不论", "不同", "不久", "无论", "未来", "别人", "别的", "分别", "没事", "太太", "最近", "最后", "最终", "真皮", "真丝", "还是", "还有", "还会",
		"not only", "no matter", "no doubt", "so that", "never mind",
	}
	good = []string{
		"好", "不错", "满意", "喜欢", "推荐", "方便", "舒服", "舒适", "干净", "漂亮", "好看", "美观", "精致", "精美", "实惠", "便宜", "划算", "超值", "值得",
		"值", "热情", "周到", "耐心", "专业", "友好", "亲切", "快", "及时", "迅速", "新鲜", "好吃", "好喝", "正品", "完美", "优秀", "优质", "满足",
		"开心", "高兴", "愉快", "惊喜", "感谢", "谢谢", "赞", "点赞", "给力", "棒", "合身", "合适", "显瘦", "柔软", "结实", "耐用", "清晰", "安静", "流畅",
		"性价比高", "物美价廉", "物有所值", "好评", "放心", "信赖", "贴心", "细心", "齐全", "丰富", "感动", "经典", "精彩", "有趣", "好玩", "受益", "受益匪浅",
		"爱不释手", "百看不厌", "回味", "深刻", "启发", "有用", "实用", "轻便", "时尚", "大方", "强", "高档", "温馨", "宽敞", "物超所值", "下次还来", "还会再来", "会再来",
		"good", "great", "excellent", "perfect", "love", "loved", "like", "liked", "nice", "happy", "satisfied", "recommend", "recommended", "fast", "quick", "quickly",
		"friendly", "helpful", "comfortable", "comfy", "beautiful", "amazing", "awesome", "best", "easy", "clean", "cheap", "worth", "pleased", "delighted",
		"fresh", "polite", "kind", "smooth", "reliable", "sturdy", "soft", "lovely", "wonderful", "fantastic", "thanks", "thank", "on time", "well made", "fits",
	}
	bad = []string{
		"差", "坏", "烂", "糟", "糟糕", "差劲", "失望", "垃圾", "后悔", "讨厌", "难看", "难用", "难吃", "难喝", "难受", "丑", "脏", "臭", "破", "旧", "慢", "贵", "假",
		"假货", "骗", "骗人", "欺骗", "上当", "投诉", "退货", "退款", "退", "差评", "垃圾", "恶心", "恶劣", "冷漠", "敷衍", "不耐烦", "态度差", "粗糙", "瑕疵", "破损",
		"损坏", "裂", "断", "掉色", "褪色", "起球", "开线", "异味", "味道大", "刺鼻", "噪音", "吵", "漏", "卡", "死机", "发热", "发烫", "坏了", "质量问题", "缺货",
		"少发", "漏发", "发错", "拖延", "延误", "迟", "等了", "浪费", "白花", "不值", "没用", "无聊", "乏味", "肤浅", "枯燥", "啰嗦", "空洞", "牵强", "一般",
		"凑合", "将就", "勉强", "无语", "郁闷", "气愤", "生气", "坑", "坑人", "忽悠", "问题", "毛病", "缺点", "不足", "遗憾", "可惜", "错误", "盗版", "陈旧", "简陋",
		"霉", "蟑螂", "潮湿", "麻烦", "竟然", "居然", "偏僻", "不如", "最差", "再也不", "不会再", "千万别", "千万不要", "别买", "慎重", "根本", "小偷", "冒牌", "次品",
		"bad", "poor", "terrible", "awful", "horrible", "worst", "worse", "hate", "hated", "disappointed", "disappointing", "slow", "slowly", "late", "delayed", "delay",
		"broken", "broke", "damaged", "defective", "faulty", "dirty", "rude", "unhelpful", "expensive", "overpriced", "waste", "wrong", "missing", "refund", "return",
		"returned", "complaint", "complain", "problem", "problems", "issue", "issues", "cheaply", "flimsy", "uncomfortable", "ugly", "smell", "smells", "fake", "scam",
		"useless", "never again", "unacceptable", "annoying", "frustrating", "frustrated", "ignored", "tight", "loose", "torn", "faded", "leaks", "leaking", "noisy",
	}
	// neutral words hold good or bad ones that mean nothing by themselves.
	neutral = []string{
		"好像", "好几", "好多", "好久", "好在", "最好", "只好", "正好", "刚好", "还好", "好不容易", "爱好", "你好", "快递", "快捷", "凉快", "快要", "尽快", "赶快",
		"值班", "价值", "数值", "差不多", "差点", "相差", "时差", "出差", "邮差", "破解", "旧金山", "贵宾", "贵州", "贵阳", "珍贵", "宝贵", "放假", "假日", "假期",
		"假如", "请假", "判断", "不断", "退出", "退房", "断电", "卡片", "银行卡", "打卡", "显卡", "网卡", "迟早", "强调", "勉强", "强迫", "没问题", "问题不大", "棒球",
		"没有问题", "not bad", "no problem", "no problems", "no issues", "would like", "looks like", "look like", "feels like", "like a", "thank god",
	}
)
