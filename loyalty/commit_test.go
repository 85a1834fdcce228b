package loyalty_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
)

// slowStore takes a second for each commit and notes how many postings came together.
type slowStore struct {
	*loyalty.MemoryStore
	mu    sync.Mutex
	sizes []int
}

func (s *slowStore) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	s.mu.Lock()
	s.sizes = append(s.sizes, len(ps))
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return s.MemoryStore.Commit(ctx, ps)
}

func slowLedger(t *testing.T, cfg loyalty.Config) (*loyalty.Ledger, *slowStore) {
	t.Helper()
	s := &slowStore{MemoryStore: loyalty.NewMemoryStore()}
	cfg.Store = s
	l, err := loyalty.New(cfg)
	require.NoError(t, err)
	return l, s
}

func earnOne(i int) loyalty.Earn {
	return loyalty.Earn{Key: fmt.Sprint("k", i), Account: fmt.Sprint("m", i), Amount: 1}
}

func TestCallersWhoComeDuringACommitShareTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := slowLedger(t, loyalty.Config{Batch: 6})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				_, err := l.Post(t.Context(), earnOne(i))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 6, 3}, s.sizes, "the first alone, a full batch, the rest")
	})
}

func TestGroupCommitCanBeTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := slowLedger(t, loyalty.Config{Batch: 1})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				_, err := l.Post(t.Context(), earnOne(i))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 1, 1, 1}, s.sizes)
		require.Less(t, time.Since(start), 4*time.Second, "different members do not wait for each other")
	})
}

func TestALeadersCancellationDoesNotStopTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLedger(t, loyalty.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		r, err := l.Post(ctx, earnOne(1))
		require.NoError(t, err)
		b, err := l.Balance(t.Context(), "m1", "", loyalty.AsOf{})
		require.NoError(t, err)
		require.Equal(t, r.Balance(), b)
		require.Equal(t, int64(1), r.Balance().Total())
	})
}

func TestACanceledFollowerIsToldWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLedger(t, loyalty.Config{})
		var wg sync.WaitGroup
		post := func(i int, start, cancelAfter time.Duration) (err *error) {
			err = new(error)
			wg.Go(func() {
				time.Sleep(start)
				ctx, cancel := context.WithTimeout(t.Context(), cancelAfter)
				defer cancel()
				_, *err = l.Post(ctx, earnOne(i))
			})
			return err
		}
		leader := post(0, 0, time.Hour)
		withdrawn := post(1, 100*time.Millisecond, 200*time.Millisecond) // still queued
		inFlight := post(2, 100*time.Millisecond, 1500*time.Millisecond) // its batch is being written
		next := post(3, 100*time.Millisecond, time.Hour)
		wg.Wait()
		require.NoError(t, *leader)
		require.NoError(t, *next)

		require.ErrorIs(t, *withdrawn, context.DeadlineExceeded)
		require.NotErrorIs(t, *withdrawn, loyalty.ErrOutcomeUnknown)
		_, err := l.Lookup(t.Context(), "k1")
		require.ErrorIs(t, err, loyalty.ErrNotFound)

		// The first of a batch leads it and cannot be unsure; k2 led k3's.
		if *inFlight != nil {
			require.ErrorIs(t, *inFlight, loyalty.ErrOutcomeUnknown)
		}
		r, err := l.Lookup(t.Context(), "k2")
		require.NoError(t, err)
		require.Equal(t, "k2", r.Transaction.Key)
	})
}

func TestACanceledFollowerWhoseBatchIsWrittenMustAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLedger(t, loyalty.Config{})
		errs := make([]error, 3)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i == 2 {
					time.AfterFunc(1500*time.Millisecond, cancel)
				}
				_, errs[i] = l.Post(ctx, earnOne(i))
			})
		}
		wg.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		require.ErrorIs(t, errs[2], loyalty.ErrOutcomeUnknown)
		require.ErrorIs(t, errs[2], context.Canceled)
		r, err := l.Post(t.Context(), earnOne(2))
		require.NoError(t, err)
		require.True(t, r.Replayed, "it had been written")
	})
}

func TestOneFailingCommandDoesNotFailItsNeighbors(t *testing.T) {
	l, err := loyalty.New(loyalty.Config{})
	require.NoError(t, err)
	rs, errs := l.PostBatch(t.Context(), []loyalty.Command{
		loyalty.Earn{Key: "a", Account: "m", Amount: 10},
		loyalty.Redeem{Key: "b", Account: "m", Amount: 11},
		loyalty.Redeem{Key: "c", Account: "m", Amount: 10},
		loyalty.Earn{Key: "bad key", Account: "m", Amount: 1},
		loyalty.Earn{Key: "a", Account: "m", Amount: 10},
		nil,
	})
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], loyalty.ErrInsufficient)
	require.NoError(t, errs[2])
	require.ErrorIs(t, errs[3], loyalty.ErrInvalid)
	require.NoError(t, errs[4])
	require.True(t, rs[4].Replayed)
	require.ErrorIs(t, errs[5], loyalty.ErrInvalid)
}

// A read as of a known time waits for what is on its way with an earlier
// recorded time: its answer could not stay.
func TestAReadAsOfAKnownTimeWaitsForWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := slowLedger(t, loyalty.Config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := l.Post(t.Context(), loyalty.Earn{Key: "k", Account: "m", Amount: 5})
			require.NoError(t, err)
		})
		time.Sleep(500 * time.Millisecond)
		at := loyalty.AsOf{Known: time.Now()}
		first, err := l.Balance(t.Context(), "m", "", at)
		require.NoError(t, err)
		wg.Wait()
		_, err = l.Post(t.Context(), loyalty.Earn{Key: "k2", Account: "m", Amount: 5, At: at.Known})
		require.NoError(t, err)
		again, err := l.Balance(t.Context(), "m", "", loyalty.AsOf{Known: at.Known, Effective: at.Known})
		require.NoError(t, err)
		require.Equal(t, int64(5), first.Total())
		require.Equal(t, first, again)
	})
}

// faultyStore fails at random before or after it has done what it was asked for.
type faultyStore struct {
	loyalty.Store
	mu sync.Mutex
	r  *rand.Rand
}

var errFault = errors.New("the network is down")

func (s *faultyStore) fails(percent int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(100) < percent
}

func (s *faultyStore) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	errs := make([]error, len(ps))
	for i := range errs {
		errs[i] = errFault
	}
	if s.fails(20) {
		return errs
	}
	if done := s.Store.Commit(ctx, ps); !s.fails(20) {
		return done
	}
	return errs
}

func (s *faultyStore) Load(ctx context.Context, q loyalty.Query) (loyalty.Answer, error) {
	if s.fails(10) {
		return loyalty.Answer{}, errFault
	}
	return s.Store.Load(ctx, q)
}

func (s *faultyStore) Entries(ctx context.Context, program, account string, after uint64, limit int) ([]loyalty.Transaction, error) {
	if s.fails(10) {
		return nil, errFault
	}
	return s.Store.Entries(ctx, program, account, after, limit)
}

// A store that fails at any moment, before or after it has written, cannot make
// a command happen twice: who retries under the key gets it done once.
func TestFaultsOfTheStoreDuplicateNothing(t *testing.T) {
	for seed := range uint64(20) {
		memory := loyalty.NewMemoryStore()
		l, err := loyalty.New(loyalty.Config{Store: &faultyStore{Store: memory, r: rand.New(rand.NewPCG(seed, 1))}})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 10 {
					cmds := []loyalty.Command{
						loyalty.Earn{Key: fmt.Sprintf("e%d-%d", i, j), Account: fmt.Sprint("m", i%3), Amount: 10},
						loyalty.Redeem{Key: fmt.Sprintf("r%d-%d", i, j), Account: fmt.Sprint("m", i%3), Amount: 3},
						loyalty.Transfer{Key: fmt.Sprintf("t%d-%d", i, j), From: fmt.Sprint("m", i%3), To: "pool", Amount: 2},
					}
					for _, cmd := range cmds {
						for {
							if _, err := l.Post(t.Context(), cmd); err == nil {
								break
							} else if !errors.Is(err, errFault) {
								t.Errorf("seed %d: %v", seed, err)
								return
							}
						}
					}
				}
			})
		}
		wg.Wait()
		sound, err := loyalty.New(loyalty.Config{Store: memory})
		require.NoError(t, err)
		var total int64
		for _, account := range []string{"m0", "m1", "m2", "pool"} {
			b, err := sound.Balance(t.Context(), account, "", loyalty.AsOf{})
			require.NoError(t, err)
			total += b.Total()
		}
		require.Equal(t, int64(80*(10-3)), total, "seed %d", seed)
		_, err = sound.Verify(t.Context(), loyalty.Anchor{})
		require.NoError(t, err)
	}
}

func TestAcknowledgementLostIsResolvedByTheKey(t *testing.T) {
	s := &lostAck{Store: loyalty.NewMemoryStore()}
	l, err := loyalty.New(loyalty.Config{Store: s})
	require.NoError(t, err)
	r, err := l.Post(t.Context(), earnOne(1))
	require.NoError(t, err)
	require.False(t, r.Replayed, "to its caller it is the first")
	require.Equal(t, int64(1), r.Balance().Total())
}

type lostAck struct {
	loyalty.Store
	once sync.Once
}

func (s *lostAck) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	errs := s.Store.Commit(ctx, ps)
	s.once.Do(func() { errs[0] = errFault })
	return errs
}
