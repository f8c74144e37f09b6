package dense

// tileShape is how a matrix product is cut into tiles that registers hold.
type tileShape struct {
	rows, columns int
	// add adds the product of a packed panel of A, steps x rows, and one of B, steps x
	// columns, to a tile of C, its rows stride numbers apart. Both panels have the same
	// number of steps, which may be 0.
	add func(a, b, c []float32, stride int)
}

// maxTile is the number of elements of the largest tile.
const maxTile = 12 * 32

// set is an instruction set that there are loops for, a later one wider.
type set int

const (
	portable set = iota
	avx2
	avx512
)

// active is the set in use: the widest there is, but in tests.
var active = widest()
