package world

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Answer is what a customer says to a survey.
type Answer struct {
	Score int
	Text  string        // often empty
	After time.Duration // from the invitation to the answer
}

// Respond asks a customer: who is the ID of an event of the feed or the number
// of an order, for the person behind it, or the ID of a person; at is when they
// are invited. The part of survey before the first dot chooses the scale: "nps" 0
// to 10, "csat" and "stars" 1 to 5, "ces" 1 to 7 (7 is easy); the rest is free,
// and another name is another question. The answer follows from what happened
// to them by then: late parcels, complaints and how they ended, returns, repairs.
// ok is false where they do not answer, about two times in three, where nobody
// is behind who and for an unknown scale. The same question at the same time
// always gets the same answer.
func (w *World) Respond(who, survey string, at time.Time) (a Answer, ok bool) {
	t := w.truth
	p := t.behind(who)
	if p == nil {
		return Answer{}, false
	}
	x := t.seed.mix(t.seed.text(who), t.seed.text(survey))
	r := rand.New(rand.NewPCG(x, splitmix(x)))
	feel, topic := p.feel(at)
	willing := 0.28 + 0.03*math.Abs(feel-7)
	if r.Float64() >= willing {
		return Answer{}, false
	}
	feel += r.NormFloat64()
	var lo, hi, score float64
	scale, _, _ := strings.Cut(survey, ".")
	switch scale {
	case "nps":
		lo, hi, score = 0, 10, feel
	case "csat", "stars":
		lo, hi, score = 1, 5, feel/2
	case "ces":
		lo, hi, score = 1, 7, feel*0.7
	default:
		return Answer{}, false
	}
	a.Score = int(min(max(math.Round(score), lo), hi))
	if r.Float64() < 0.4 {
		a.Text = remark(r, topic, float64(a.Score-int(lo)) > 0.65*(hi-lo))
	}
	// Half answer within about two hours, the rest over days.
	a.After = time.Duration(float64(2*time.Hour) * math.Exp(1.4*r.NormFloat64())).Truncate(time.Second)
	return a, true
}

// behind finds a person by an event, an order or their own ID; nil for nobody.
func (t *Truth) behind(who string) *person {
	if i, ok := t.events[who]; ok {
		if n := t.records[i].person; n >= 0 {
			return t.people[n]
		}
		return nil
	}
	if o, ok := t.byNumber[who]; ok {
		return o.buyer
	}
	if i, ok := t.byPerson[who]; ok {
		return t.people[i]
	}
	return nil
}

// feel is what p would answer to NPS, before noise and unbounded, and the
// topic that weighs most; "" for none.
func (p *person) feel(at time.Time) (score float64, topic string) {
	score = p.mood
	var most float64
	for _, l := range p.lives {
		if l.at.After(at) {
			continue
		}
		weight := l.delta * math.Exp2(-at.Sub(l.at).Hours()/24/45)
		score += weight
		if math.Abs(weight) > most {
			most, topic = math.Abs(weight), l.topic
		}
	}
	return score, topic
}

// remarks by topic, the unhappy ones first.
var remarks = map[string][2][]string{
	"late": {
		{"快递太慢了,等了一个多星期", "The parcel came days after the promised date.", "物流一直不更新,晚到了", "Delivery was late and nobody told me."},
		{"晚了一天,但是客服态度好", "A little late, but fine in the end."},
	},
	"delivery": {
		{"包装破了", "The box was damaged when it arrived."},
		{"物流很快,包装也好", "Arrived sooner than promised.", "快递很给力"},
	},
	"quality": {
		{"质量太差,穿一次就开线", "The seam came apart after one week.", "有色差,做工粗糙"},
		{"质量不错", "Good quality for the price."},
	},
	"wrong item": {
		{"发错货了,颜色不对", "I got the wrong size, again.", "少发了一件"},
		{"发错了但是很快补发", "They sent the right one the next day."},
	},
	"service": {
		{"客服一直不回复,电话打不通", "Nobody answers the phone.", "客服推来推去,我的手机13912345678一直没人回电"},
		{"客服很耐心,问题解决了", "The assistant solved it at once.", "导购服务很好"},
	},
	"return": {
		{"退款太慢了", "Still waiting for my refund.", "退货流程太麻烦"},
		{"退货很方便,退款很快", "Returning it was easy."},
	},
	"repair": {
		{"维修等了三个星期", "The repair took far too long.", "修了两次还是漏水"},
		{"维修很快,还给了备用机", "Repaired within days, with a loaner."},
	},
	"": {
		{"一般般", "Nothing special.", "价格偏高"},
		{"很喜欢,会再来", "Happy with everything.", "款式好看", "性价比高"},
	},
}

func remark(r *rand.Rand, topic string, happy bool) string {
	texts, ok := remarks[topic]
	if !ok {
		texts = remarks[""]
	}
	side := texts[0]
	if happy {
		side = texts[1]
	}
	return side[r.IntN(len(side))]
}
