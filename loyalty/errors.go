package loyalty

import (
	"errors"
	"fmt"
)

// The conditions that commands and reads report. Match them with [errors.Is].
var (
	// ErrInvalid reports a command or configuration that can never be carried
	// out: a key that is no opaque key, an amount out of range, a time in the future.
	ErrInvalid = errors.New("loyalty: invalid")
	// ErrKeyReused reports an idempotency key that was used for another command.
	ErrKeyReused = errors.New("loyalty: key was used for another command")
	// ErrInsufficient reports that less is available than was asked for; the
	// error is an [*InsufficientError].
	ErrInsufficient = errors.New("loyalty: not enough available")
	// ErrNotFound reports a transaction, line, lot, hold or account that is not there.
	ErrNotFound = errors.New("loyalty: not found")
	// ErrHoldOver reports a hold that was captured or released in full, or timed out.
	ErrHoldOver = errors.New("loyalty: hold is over")
	// ErrReversed reports a transaction that was reversed or returned in full.
	ErrReversed = errors.New("loyalty: nothing is left to reverse")
	// ErrNotReversible reports a transaction of a kind that cannot be reversed.
	ErrNotReversible = errors.New("loyalty: a transaction of this kind is not reversible")
	// ErrCauseRequired reports a reversal that gives back points of a lot that
	// expired meanwhile and does not say who caused it.
	ErrCauseRequired = errors.New("loyalty: a lot has expired meanwhile, the reversal must name its cause")
	// ErrShortfall reports a return of points that are already spent, under the
	// policy [Refuse].
	ErrShortfall = errors.New("loyalty: returned points are already spent")
	// ErrMerged reports a command that an account merged into another cannot take.
	ErrMerged = errors.New("loyalty: account is merged")
	// ErrOpenHolds reports a merge of an account that has open holds.
	ErrOpenHolds = errors.New("loyalty: account has open holds")
	// ErrOverflow reports a balance that would leave the range of int64.
	ErrOverflow = errors.New("loyalty: amount out of range")
	// ErrOutcomeUnknown reports that a write may or may not have happened: ask
	// [Ledger.Lookup], or post the command again under the same key.
	ErrOutcomeUnknown = errors.New("loyalty: outcome unknown, ask with the key")
	// ErrTampered reports a ledger that is not what was written; the error is a
	// [*TamperError].
	ErrTampered = errors.New("loyalty: ledger was tampered with")

	// ErrConflict is what a [Store] answers where an account is no longer at
	// the expected sequence. Outside a caller's transaction the ledger retries;
	// inside one it means: roll back and run again.
	ErrConflict = errors.New("loyalty: account was changed meanwhile")
	// ErrDuplicate is what a [Store] answers where the key is already recorded.
	ErrDuplicate = errors.New("loyalty: key is already recorded")
)

// InsufficientError says how much was available, which is negative where more
// is owed than is usable, and how much was asked for.
type InsufficientError struct {
	Unit      Unit
	Available int64
	Asked     int64
}

func (e *InsufficientError) Error() string {
	return fmt.Sprintf("%v: %d %s asked, %d available", ErrInsufficient, e.Asked, e.Unit, e.Available)
}

// Is reports whether target is [ErrInsufficient].
func (e *InsufficientError) Is(target error) bool { return target == ErrInsufficient }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
