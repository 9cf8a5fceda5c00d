package gpu

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/gpu/vk"
)

// A driver whose compiler counts says what it counted; the others refuse, and
// say why. Drivers that count are compiled with in sparsenet, TestAMD.
func TestStatistics(t *testing.T) {
	plain := openTest(t, Options{})
	p, err := plain.Pipeline(axpy(64), []uint32{64, 0})
	require.NoError(t, err)
	_, err = p.Statistics()
	assert.ErrorContains(t, err, "Options.Statistics")

	d, err := Open(Options{Validate: plainMode(), Statistics: true})
	if err != nil {
		var e *Error
		require.True(t, errors.As(err, &e), "%v", err)
		assert.Equal(t, int(vk.ExtensionNotPresent), e.Code)
		assert.ErrorContains(t, err, "no statistics")
		return
	}
	defer func() { assert.NoError(t, d.Close()) }()
	p, err = d.Pipeline(axpy(64), []uint32{64, 0})
	require.NoError(t, err)
	s, err := p.Statistics()
	require.NoError(t, err)
	assert.NotEmpty(t, s)
}

// plainMode is the validation of the devices that are open.
func plainMode() Validation {
	shared.Lock()
	defer shared.Unlock()
	return shared.mode
}
