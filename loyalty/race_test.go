//go:build race

package loyalty_test

// underRace thins out what checks arithmetic and not concurrency.
const underRace = true
