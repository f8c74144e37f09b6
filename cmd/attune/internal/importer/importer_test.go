package importer_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

const retailHeader = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// brief writes an event in a line that tests can read.
func brief(e *attunev1.Event) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s %s u=%s s=%s", e.GetType(), e.GetEventId(), e.GetUserId(), e.GetSessionId())
	if e.GetItemId() != "" {
		_, _ = fmt.Fprintf(&b, " i=%s", e.GetItemId())
	}
	if t := e.GetOccurredAt(); t != nil {
		b.WriteString(" " + t.AsTime().Format("2006-01-02T15:04:05"))
	}
	for _, l := range e.GetLines() {
		_, _ = fmt.Fprintf(&b, " %dx%s", l.GetQuantity(), l.GetItemId())
		if p := l.GetPrice(); p != nil {
			_, _ = fmt.Fprintf(&b, "@%d%s", p.GetMinorUnits(), p.GetCurrencyCode())
		}
	}
	return b.String()
}

// read reads everything and holds the source to its sums.
func read(t testing.TB, source importer.Source) (events []string, skipped map[string]int64) {
	t.Helper()
	var lines int64
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines += record.Lines
		events = append(events, brief(record.Event))
	}
	skipped = map[string]int64{}
	for _, reason := range source.Skipped() {
		skipped[reason.Reason] = reason.Lines
		lines += reason.Lines
	}
	if lines != source.Lines() {
		t.Errorf("%d lines are accounted for of %d", lines, source.Lines())
	}
	return events, skipped
}

func TestFormats(t *testing.T) {
	tests := []struct {
		name, format, file string
		events             []string
		skipped            map[string]int64
	}{
		{
			name: "an invoice is a purchase, one with C a refund", format: "online-retail",
			file: retailHeader +
				"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n" +
				"536365,71053,\"METAL, WHITE \"\"LANTERN\"\"\",6,2010-12-01 08:27:00,3.3,17850.0,United Kingdom\n" +
				"536365,85123a,WHITE HANGING HEART T-LIGHT HOLDER,1,2010-12-01 08:27:00,3,17850.0,United Kingdom\n" +
				"C536379,22960,JAM MAKING SET,-2,2010-12-01 09:41:00,4.25,14527.0,France\n",
			events: []string{
				"purchase 536365 u=17850 s= 2010-12-01T08:26:00 6x85123A@255GBP 6x71053@330GBP 1x85123A@300GBP",
				"refund C536379 u=14527 s= 2010-12-01T09:41:00 2x22960@425GBP",
			},
		},
		{
			name: "without a customer there is only the invoice", format: "online-retail",
			file:   retailHeader + "536414,22139,RETROSPOT TEA SET,56,2010-12-01 11:52:00,1.00,,United Kingdom\n",
			events: []string{"purchase 536414 u= s=536414 2010-12-01T11:52:00 56x22139@100GBP"},
		},
		{
			name: "lines of invoices may lie between each other", format: "online-retail",
			file: retailHeader +
				"1,10000,A,1,2011-02-01 11:19:00,1.00,7.0,UK\n" + "2,10001,B,1,2011-02-01 11:20:00,1.00,8.0,UK\n" +
				"1,10002,C,1,2011-02-01 11:19:00,1.00,7.0,UK\n",
			events: []string{"purchase 1 u=7 s= 2011-02-01T11:19:00 1x10000@100GBP 1x10002@100GBP", "purchase 2 u=8 s= 2011-02-01T11:20:00 1x10001@100GBP"},
		},
		{
			name: "what is no sale is left out by reason", format: "online-retail",
			file: retailHeader +
				"536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.00,12583.0,France\n" +
				"536370,gift_0001_20,Dotcomgiftshop Gift Voucher,1,2010-12-01 08:45:00,18.00,,France\n" +
				"536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n" +
				"536415,22139,TEA SET,56,2010-12-01 11:52:00,0.00,,United Kingdom\n" +
				"536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom\n" +
				"536590,21777,X,0,2010-12-01 16:50:00,1.0,,United Kingdom\n" +
				"C536590,21777,X,4,2010-12-01 16:50:00,1.0,,United Kingdom\n" +
				"536590,21777,X,4,2010-12-01 16:50:00,-1.0,,United Kingdom\n" +
				"536590,21777,X,4,2010-12-01 16:50:00,1.001,,United Kingdom\n" +
				"536590,21777,X,4,yesterday,1.0,,United Kingdom\n" +
				"536590,21777,X,four,2010-12-01 16:50:00,1.0,,United Kingdom\n" +
				"A563185,21777,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom\n" +
				"\n" +
				"536590,21777,\"X,4,2010-12-01 16:50:00,1.0,,United Kingdom\n",
			skipped: map[string]int64{
				"not a product": 2, "blank description": 1, "zero price": 1, "stock adjustment: negative quantity outside a refund": 1,
				"quantity zero": 1, "refund of a positive quantity": 1, "negative price": 1, "malformed price": 1, "malformed date": 1,
				"malformed quantity": 1, "not an invoice number": 1, "blank line": 1, "malformed line": 1,
			},
		},
		{
			name: "views, carts and buys", format: "retailrocket",
			file: "timestamp,user,event,item\n1430623510,1176,view,6768\n1430623535,1176,cart,6768\n1430623644,1176,buy,26268\nx,1,view,2\n1,1,wish,2\n1,1\n",
			events: []string{
				"view_item view-6768-1430623510 u=1176 s= i=6768 2015-05-03T03:25:10",
				"add_to_cart cart-6768-1430623535 u=1176 s= i=6768 2015-05-03T03:25:35",
				"purchase buy-26268-1430623644 u=1176 s= 2015-05-03T03:27:24 1x26268",
			},
			skipped: map[string]int64{"malformed timestamp": 1, "unknown event": 1, "malformed line": 1},
		},
		{
			name: "ratings", format: "movielens",
			file:    "196\t242\t3\t881250949\r\n186\t302\tgood\t1\n186\t302\t3\n",
			events:  []string{"rate rate-242-881250949 u=196 s= i=242 1997-12-04T15:55:49"},
			skipped: map[string]int64{"malformed rating": 1, "malformed line": 1},
		},
		{
			name: "columns by the Event's names", format: "csv",
			file: "\xef\xbb\xbfeventId,type,user_id,item_id,quantity,price.currency_code,price.minor_units,occurred_at,lines,attributes\n" +
				"e1,purchase,anna,lamp,2,EUR,1250,2026-05-01T10:00:00Z,,\n" +
				"e2,view_item,anna,lamp,,,,1430623510,,\"{\"\"page\"\":\"\"home\"\"}\"\n" +
				"e3,purchase,anna,,,,,1430623510,\"[{\"\"item_id\"\":\"\"bulb\"\",\"\"quantity\"\":\"\"3\"\"}]\",\n" +
				"e4,view_item,anna,lamp,,,,soon,,\n" +
				"e5,view_item\n",
			events: []string{
				"purchase e1 u=anna s= 2026-05-01T10:00:00 2xlamp@1250EUR",
				"view_item e2 u=anna s= i=lamp 2015-05-03T03:25:10",
				"purchase e3 u=anna s= 2015-05-03T03:25:10 3xbulb",
			},
			skipped: map[string]int64{"malformed occurred_at": 1, "not as many fields as the header": 1},
		},
		{
			name: "an event a line", format: "jsonl",
			file: `{"event_id":"e1","type":"search","user_id":"anna","search_query":"lamps"}` + "\n" +
				`{"eventId":"e2","type":"view_item","anonymousId":"c","itemId":"lamp","occurredAt":"2026-05-01T10:00:00Z"}` + "\n" +
				`{"event_id":"e3","colour":"red"}` + "\n" + `{` + "\n",
			events:  []string{"search e1 u=anna s=", "view_item e2 u= s= i=lamp 2026-05-01T10:00:00"},
			skipped: map[string]int64{"not the JSON of an event": 2},
		},
	}
	for _, tc := range tests {
		t.Run(tc.format+": "+tc.name, func(t *testing.T) {
			source, err := importer.NewSource(importer.Format(tc.format), strings.NewReader(tc.file), nil)
			if err != nil {
				t.Fatal(err)
			}
			events, skipped := read(t, source)
			if diff := cmp.Diff(tc.events, events); diff != "" {
				t.Error(diff)
			}
			if tc.skipped == nil {
				tc.skipped = map[string]int64{}
			}
			if diff := cmp.Diff(tc.skipped, skipped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongFiles(t *testing.T) {
	for format, file := range map[string]string{
		"online-retail": "a,b\n", "retailrocket": "a,b\n", "csv": "event_id,colour\n", "yaml": "",
	} {
		if _, err := importer.NewSource(importer.Format(format), strings.NewReader(file), nil); err == nil {
			t.Errorf("%s takes %q", format, file)
		}
	}
	if _, err := importer.NewSource("csv", strings.NewReader("type,type\n"), nil); err == nil {
		t.Error("a column may be named twice")
	}
	if _, err := importer.NewSource("csv", strings.NewReader(""), nil); err == nil {
		t.Error("an empty file has a header")
	}
}

// TestLargeInvoice: an event has at most 1,000 lines, the next has a name of its own.
func TestLargeInvoice(t *testing.T) {
	var file strings.Builder
	file.WriteString(retailHeader)
	for i := range 2300 {
		_, _ = fmt.Fprintf(&file, "7,%05d,THING,1,2011-02-01 11:19:00,1.00,,UK\n", 10000+i)
	}
	source, err := importer.NewSource("online-retail", strings.NewReader(file.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		record, err := source.Next()
		if err != nil {
			break
		}
		got = append(got, fmt.Sprint(record.Event.GetEventId(), " ", record.Lines, " ", record.Event.GetSessionId()))
	}
	if diff := cmp.Diff([]string{"7 1000 7", "7/2 1000 7", "7/3 300 7"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestItems(t *testing.T) {
	line := func(code, title, price string) string {
		return "7," + code + "," + title + ",1,2011-02-01 11:19:00," + price + ",,UK\n"
	}
	source, err := importer.NewSource("online-retail", strings.NewReader(retailHeader+
		line("85123A", "CREAM HEART T-LIGHT HOLDER", "2.55")+line("85123a", "WHITE  HEART T-LIGHT HOLDER", "2.95")+
		line("85123A", "WHITE HEART T-LIGHT HOLDER ", "5.49")+line("22423", "XYLOPHONE", "1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	read(t, source)
	want := []string{
		`22423 "XYLOPHONE" [] 100GBP`,
		`85123A "WHITE HEART T-LIGHT HOLDER" [Lighting > Candles] 295GBP`,
	}
	if diff := cmp.Diff(want, briefItems(source.Items())); diff != "" {
		t.Error(diff)
	}

	movies := "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n" +
		"2|Mis\xe9rables|||http://x|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0\n"
	source, err = importer.NewSource("movielens", strings.NewReader(""), strings.NewReader(movies))
	if err != nil {
		t.Fatal(err)
	}
	want = []string{`1 "Toy Story (1995)" [Animation Children's Comedy] 0`, `2 "Misérables" [Drama] 0`}
	if diff := cmp.Diff(want, briefItems(source.Items())); diff != "" {
		t.Error(diff)
	}
	if _, err := importer.NewSource("movielens", strings.NewReader(""), strings.NewReader("1|Toy Story\n")); err == nil {
		t.Error("a file of other fields is u.item")
	}
}

func briefItems(items []*attunev1.Item) (out []string) {
	for _, i := range items {
		out = append(out, fmt.Sprintf("%s %q %v %d%s", i.GetItemId(), i.GetTitle(), i.GetCategories(), i.GetPrice().GetMinorUnits(), i.GetPrice().GetCurrencyCode()))
	}
	return out
}

// TestLongLines: a line of any length is one line, and one that is too long costs itself alone.
func TestLongLines(t *testing.T) {
	long := `{"event_id":"e1","type":"search","user_id":"anna","search_query":"` + strings.Repeat("x", 200_000) + `"}`
	source, err := importer.NewSource("jsonl", strings.NewReader(
		long+"\n"+strings.Repeat("y", 13<<20)+"\n"+long+"\n"+strings.Repeat("z", 13<<20)), nil)
	if err != nil {
		t.Fatal(err)
	}
	events, skipped := read(t, source)
	if diff := cmp.Diff(map[string]int64{"line too long": 2}, skipped); len(events) != 2 || diff != "" {
		t.Errorf("%d events, %s", len(events), diff)
	}
}

func TestOpenFileUnpacks(t *testing.T) {
	const text = "196\t242\t3\t881250949\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	for name, content := range map[string][]byte{"plain": []byte(text), "packed": packed.Bytes(), "empty": nil} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := importer.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(file)
		if want := text; err != nil || name != "empty" && string(got) != want || file.BytesRead() != file.Size() {
			t.Errorf("%s: %q, %v, %d bytes of %d", name, got, err, file.BytesRead(), file.Size())
		}
		_ = file.Close()
	}
	if _, err := importer.OpenFile(t.TempDir()); err == nil {
		t.Error("a folder is a file")
	}
}

// FuzzFormats: whatever a file holds, every line is accounted for, and a second reading
// gives the same.
func FuzzFormats(f *testing.F) {
	for i, format := range formats {
		f.Add(i, []byte("1,2,3\n"))
		if format == "online-retail" {
			f.Add(i, []byte(retailHeader+"536365,85123A,\"WHITE \"\"X\",6,2010-12-01 08:26:00,2.55,17850.0,UK\nC1,22222,x,-1,2010-12-01 08:26:00,2.55,,UK\n"))
		}
	}
	f.Add(1, []byte("timestamp,user,event,item\n1430623510,1176,view,6768\n"))
	f.Add(2, []byte("196\t242\t3\t881250949\n"))
	f.Add(3, []byte("type,user_id,lines\npurchase,anna,\"[{}]\"\n"))
	f.Add(4, []byte(`{"type":"search"}`))
	f.Fuzz(func(t *testing.T, at int, data []byte) {
		if at < 0 || at >= len(formats) {
			return
		}
		source, err := importer.NewSource(formats[at], bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		events, _ := read(t, source)
		again, err := importer.NewSource(formats[at], bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := read(t, again); !cmp.Equal(events, second) {
			t.Fatal("a second reading gives other events")
		}
		for _, item := range source.Items() {
			if _, err := protojson.Marshal(item); err != nil {
				t.Fatal(err)
			}
		}
	})
}

var formats = []importer.Format{"online-retail", "retailrocket", "movielens", "csv", "jsonl"}
