package datasets

import (
	"errors"
	"fmt"
	"strings"
)

// pair is a user and the item that the user chose.
type pair struct{ user, item string }

var errNegatives = errors.New("must have (user,item) and other items parted by tabs, or user, item and other items parted by commas")

// readNegatives reads the items among which each chosen one is to be found.
func readNegatives(path string) (map[pair][]string, error) {
	negatives := map[pair][]string{}
	err := eachLine(path, func(line string) error {
		of, among, err := splitNegatives(line)
		if _, twice := negatives[of]; twice && err == nil {
			err = fmt.Errorf("has user %q and item %q for the second time", of.user, of.item)
		}
		negatives[of] = among
		return err
	})
	return negatives, err
}

func splitNegatives(line string) (of pair, among []string, err error) {
	fields := strings.Split(line, ",")
	if strings.HasPrefix(line, "(") {
		head, rest, _ := strings.Cut(line[1:], ")")
		user, item, ok := strings.Cut(head, ",")
		if !ok {
			return pair{}, nil, errNegatives
		}
		fields = append([]string{user, item}, strings.Fields(rest)...)
	}
	for i := range fields {
		if fields[i] = strings.TrimSpace(fields[i]); fields[i] == "" {
			return pair{}, nil, errNegatives
		}
	}
	if len(fields) < 3 {
		return pair{}, nil, errNegatives
	}
	return pair{fields[0], fields[1]}, fields[2:], nil
}
