// Package readme holds the Go code that README.md shows, so that all of it is
// compiled, run and checked. A test in internal/house fails where the two differ.
package readme

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
