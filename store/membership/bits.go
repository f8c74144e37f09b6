package membership

// bits is a set of places in the list of an edition's segments; nil is all of them.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) has(i int) bool { return b == nil || b[i/64]>>(i%64)&1 == 1 }

func (b bits) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b bits) empty() bool {
	for _, word := range b {
		if word != 0 {
			return false
		}
	}
	return b != nil
}

// or returns the union, which may be one of the two.
func (b bits) or(other bits) bits {
	switch {
	case b == nil || other == nil:
		return nil
	case other.empty():
		return b
	case b.empty():
		return other
	}
	union := make(bits, len(b))
	for i := range b {
		union[i] = b[i] | other[i]
	}
	return union
}
