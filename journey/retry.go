package journey

import (
	"hash/fnv"
	"slices"
	"time"
)

// retries is the schedule of what failed.
type retries struct {
	attempts int           // until it is given up
	first    time.Duration // the wait after the first failure
}

// after is the wait before the next attempt: doubled after each failure up to
// 1,000 times the first, with a jitter of a quarter that the key fixes.
func (r retries) after(key string, attempts int) time.Duration {
	d := r.first << min(attempts-1, 10)
	if limit := 1000 * r.first; d > limit || d <= 0 {
		d = limit
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte{byte(attempts)})
	quarter := int64(d / 4)
	return (d + time.Duration(int64(h.Sum32())%(quarter+1)) - d/8).Truncate(time.Microsecond)
}

// settled brings an effect to where a call leaves it: done, refused, to be tried again, or nobody
// knows. A message that one channel refuses tries the next. Who honors keys can
// simply be asked again.
func (r retries) settled(er *EffectRow, a Answer, now time.Time, honorsKeys bool) {
	doubtful := er.Doubtful
	er.Detail, er.Wake, er.Doubtful = a.detail, time.Time{}, false
	again := func() {
		er.Wake = now.Add(max(a.after, r.after(er.Effect.Key, er.Attempts))).Truncate(time.Microsecond)
	}
	if doubtful && a.result == answerLater {
		a.result = answerUnclear // this call did nothing, but an earlier one may have
	}
	switch a.result {
	case answerConfirmed:
		er.State = Confirmed
	case answerRejected:
		er.State = Rejected
		if er.Effect.Kind == MessageEffect {
			er.Refused = append(slices.Clip(er.Refused), er.Decision.Channel)
			if len(er.Refused) < len(er.Effect.Channels) {
				er.State, er.Wake = Pending, now
			}
		}
	case answerLater:
		er.State = Pending
		if again(); er.Attempts >= r.attempts {
			er.State, er.Wake = Dead, time.Time{}
		}
	default:
		er.State, er.Doubtful = Uncertain, true
		if honorsKeys && er.Attempts < r.attempts {
			again()
		}
	}
}
