package segment

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// EachSeed runs something for n seeds, as many at a time as there are
// processors, and adds up what it counts. The error is that of the least seed
// that fails, and names it.
func EachSeed(first uint64, n int, run func(seed uint64) (int, error)) (sum int, err error) {
	var next, total atomic.Int64
	errs := make([]error, n)
	var failed atomic.Bool
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for !failed.Load() { // those that were begun before are less
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				k, err := run(first + uint64(i))
				if err != nil {
					errs[i] = fmt.Errorf("seed %d: %w", first+uint64(i), err)
					failed.Store(true)
				}
				total.Add(int64(k))
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return int(total.Load()), err
		}
	}
	return int(total.Load()), nil
}
