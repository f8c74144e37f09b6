package webhook

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"

	"github.com/attune-shop/attune/model/event"
)

const (
	maxURLBytes = 2048
	// leastPort is the least port that is no system service's, beside that of https.
	leastPort, httpsPort = 1024, 443
)

// private are the addresses that an operator may allow. Others that are not public, as those of a
// cloud's metadata (link-local), are never dialled.
var (
	privateV4 = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	}
	privateV6 = []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7")}
)

// guard tells which addresses may be dialled.
type guard struct {
	allowPrivate bool
	addresses    *ssrf.Guardian
}

func newGuard(allowPrivate bool) *guard {
	// Ports are checked with the URL: no redirect leads to another.
	options := []ssrf.Option{ssrf.WithAnyPort()}
	if allowPrivate {
		options = append(options, ssrf.WithAllowedV4Prefixes(privateV4...), ssrf.WithAllowedV6Prefixes(privateV6...))
	}
	return &guard{allowPrivate: allowPrivate, addresses: ssrf.New(options...)}
}

// dial is a net.Dialer's Control: it sees the address after the name was resolved, so that a name
// that resolves to something else the second time gets nowhere.
func (g *guard) dial(network, address string, conn syscall.RawConn) error {
	return g.addresses.Safe(network, address, conn)
}

// check says what is wrong with a URL. A name is not resolved here: what it stands for is
// looked at whenever it is dialled.
func (g *guard) check(text string) []event.Violation {
	bad := func(rule string, args ...any) []event.Violation {
		return event.Invalid("url", rule, args...).Violations
	}
	if len(text) > maxURLBytes {
		return bad("must be at most %d bytes", maxURLBytes)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return bad("must be a URL, as in https://shop.example/attune")
	}
	if u.User != nil {
		return bad("must not hold a user or password")
	}
	if u.Fragment != "" || strings.Contains(text, "#") {
		return bad("must not hold a fragment")
	}
	address, err := netip.ParseAddr(u.Hostname())
	isAddress := err == nil
	loopback := u.Hostname() == "localhost" || isAddress && address.Unmap().IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !g.allowPrivate || !loopback) {
		return bad("must begin with https://")
	}
	port := httpsPort
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return bad("has no port of a number")
		}
	}
	if port > 65535 || port < leastPort && port != httpsPort {
		return bad("must have port %d, or one from %d on", httpsPort, leastPort)
	}
	if isAddress {
		network := "tcp6"
		if address.Is4() {
			network = "tcp4"
		}
		err = g.addresses.Safe(network, netip.AddrPortFrom(address, uint16(port)).String(), nil)
	}
	if isAddress && err != nil || loopback && !g.allowPrivate {
		return bad("must be at a public address")
	}
	return nil
}
