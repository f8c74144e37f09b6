package cf

// popularity returns what all users' damped weights for each item add up to, or the number
// of its baskets where that is more: not every buyer is known.
func popularity(d *Dataset) []float32 {
	sums := make([]float64, len(d.itemIDs))
	for i := range sums {
		_, values := d.byItem.row(int32(i))
		for _, x := range values {
			sums[i] += float64(x)
		}
	}
	sold := make([]float64, len(d.itemIDs))
	for _, basket := range d.baskets {
		for _, i := range basket {
			sold[i]++
		}
	}
	popular := make([]float32, len(sums))
	for i, sum := range sums {
		popular[i] = float32(max(sum, sold[i]))
	}
	return popular
}
