package feedback

import "errors"

// Errors of this package; match them with errors.Is.
var (
	// ErrInvalid reports input or configuration that breaks a stated rule.
	ErrInvalid = errors.New("feedback: invalid")
	// ErrUnknownSurvey reports a survey that the collector does not have.
	ErrUnknownSurvey = errors.New("feedback: unknown survey")
	// ErrMismatch reports an ID that is already used with other content.
	ErrMismatch = errors.New("feedback: ID already used with other content")
	// ErrNotFound reports an invitation or response that does not exist.
	ErrNotFound = errors.New("feedback: not found")
	// ErrNotOpen reports an invitation that cannot be sent or answered any
	// more, or not yet: withheld, canceled, expired, or answered already.
	ErrNotOpen = errors.New("feedback: invitation is not open")
	// ErrConflict reports that records changed between read and commit. A
	// collector retries; inside the caller's transaction it means roll back
	// and run again.
	ErrConflict = errors.New("feedback: concurrent change")
)
