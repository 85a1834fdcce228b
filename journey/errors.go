package journey

import "errors"

// The conditions that callers may tell apart. Errors of this package match one
// of them under errors.Is.
var (
	// ErrDefinition reports a definition that cannot be built; see [LintError].
	ErrDefinition = errors.New("journey: invalid definition")
	// ErrConfig reports an engine configuration that cannot be used.
	ErrConfig = errors.New("journey: invalid configuration")
	// ErrInput reports an input that cannot be recorded.
	ErrInput = errors.New("journey: invalid input")
	// ErrInputConflict reports an input whose ID is known with other content.
	ErrInputConflict = errors.New("journey: input ID used with other content")
	// ErrFact reports a step that needs a fact which the input does not carry.
	ErrFact = errors.New("journey: fact missing")
	// ErrLoop reports a step that goes in circles without time passing.
	ErrLoop = errors.New("journey: endless loop without time passing")
	// ErrUnbound reports a definition that names a channel, action, audience,
	// check or journey which the engine does not know.
	ErrUnbound = errors.New("journey: name not registered")
	// ErrNotFound reports an instance, effect or journey that is not there.
	ErrNotFound = errors.New("journey: not found")
	// ErrState reports a request that does not fit the state of an instance or effect.
	ErrState = errors.New("journey: not possible in this state")
	// ErrConflict is returned by a [Store] when a row changed meanwhile.
	ErrConflict = errors.New("journey: changed meanwhile")
	// ErrVersion reports an instance that runs on a version which is not deployed.
	ErrVersion = errors.New("journey: version not deployed")
)
