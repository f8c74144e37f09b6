package main

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// readNumbers gives the whole numbers of each line of a gzipped file to line.
func readNumbers(path string, line func(numbers []int)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var numbers []int
		for _, field := range strings.Fields(lines.Text()) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			numbers = append(numbers, n)
		}
		if len(numbers) > 0 {
			line(numbers)
		}
	}
	return lines.Err()
}

// readBaskets reads lines of a user and its items, and returns the items.
func readBaskets(path string) (users [][]int, err error) {
	err = readNumbers(path, func(numbers []int) { users = append(users, numbers[1:]) })
	return users, err
}

// readRatings reads lines that begin with a user and an item, and returns each user's items.
func readRatings(path string) ([][]int, error) {
	byUser := map[int][]int{}
	err := readNumbers(path, func(numbers []int) { byUser[numbers[0]] = append(byUser[numbers[0]], numbers[1]) })
	users := make([][]int, 0, len(byUser))
	for _, items := range byUser {
		users = append(users, items)
	}
	return users, err
}

// mostPopular returns the n items with the most users, of equal ones those with the lower
// number, each with its place among them by number.
func mostPopular(users [][]int, n int) map[int]int {
	count := map[int]int{}
	for _, items := range users {
		for _, i := range items {
			count[i]++
		}
	}
	all := make([]int, 0, len(count))
	for i := range count {
		all = append(all, i)
	}
	slices.SortFunc(all, func(i, j int) int { return cmp.Or(cmp.Compare(count[j], count[i]), cmp.Compare(i, j)) })
	all = all[:min(n, len(all))]
	slices.Sort(all)
	place := make(map[int]int, len(all))
	for k, i := range all {
		place[i] = k
	}
	return place
}

// dataset makes a Dataset of the users' items, of those in keep where that is not nil.
func dataset(users [][]int, keep map[int]int) *feedback.Dataset {
	b := feedback.NewBuilder()
	for u, items := range users {
		for _, i := range items {
			if _, kept := keep[i]; kept || keep == nil {
				b.Add(strconv.Itoa(u), strconv.Itoa(i), 1, 0)
			}
		}
	}
	return b.Build()
}

// gram returns X^T X + easeLambda I, the lower triangle, of the users x items of keep.
func gram(users [][]int, keep map[int]int) blas32.General {
	a := square(len(keep))
	var places []int
	for _, items := range users {
		places = places[:0]
		for _, i := range items {
			if k, kept := keep[i]; kept {
				places = append(places, k)
			}
		}
		slices.Sort(places)
		for k, i := range places {
			for _, j := range places[:k+1] {
				a.Data[i*a.Stride+j]++
			}
		}
	}
	for i := range a.Rows {
		a.Data[i*a.Stride+i] += easeLambda
	}
	return a
}
