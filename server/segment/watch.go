package segment

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/membership"
)

// WatchSegment streams who enters and who leaves. It ends with NOT_FOUND where the segment is
// deleted.
func (s *Service) WatchSegment(request *attunev1.WatchSegmentRequest, stream attunev1.SegmentService_WatchSegmentServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	found, err := s.find(ctx, request.GetSegmentId())
	if err != nil {
		return err
	}
	w := watch{stream: stream, number: found.Number}
	cursor, err := s.begin(ctx, found, request, &w)
	if err != nil {
		return err
	}
	go s.endWith(ctx, found, cancel)
	err = s.options.Reader.Watch(ctx, found.Number, cursor, w.send)
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
		return cause
	}
	return gone(err)
}

// begin returns where a watch begins, after the members that it begins with.
func (s *Service) begin(ctx context.Context, found *membership.Segment, request *attunev1.WatchSegmentRequest, w *watch) (membership.Cursor, error) {
	if text := request.GetCursor(); text != "" {
		number, cursor, err := readCursor(text, s.options.Reader.Shards())
		if err != nil || number != found.Number {
			return nil, event.Invalid("cursor", "is not a cursor of this segment")
		}
		return cursor, gone(s.options.Reader.Check(ctx, cursor))
	}
	var cursor membership.Cursor
	var err error
	switch request.GetStart() {
	case attunev1.WatchStart_NOW:
		cursor, err = s.options.Reader.Now(ctx)
	case attunev1.WatchStart_BEGINNING:
		cursor, err = s.options.Reader.Beginning(ctx, found.CreatedAt)
	case attunev1.WatchStart_MEMBERS, attunev1.WatchStart_WATCH_START_UNSPECIFIED:
		cursor, err = s.options.Reader.Snapshot(ctx, found.Number, w.member)
		err = errors.Join(err, w.flush(""))
	default:
		return nil, event.Invalid("start", "must be MEMBERS, BEGINNING or NOW")
	}
	if err != nil {
		return nil, gone(err)
	}
	return cursor, w.flush(cursorText(w.number, cursor))
}

// endWith ends a watch once its segment is no more, or is another of the same id.
func (s *Service) endWith(ctx context.Context, watched *membership.Segment, cancel context.CancelCauseFunc) {
	for {
		changed := s.options.Book.Changed()
		now, err := s.options.Book.Current().Find(watched.ID)
		if err != nil || now.Number != watched.Number {
			cancel(fmt.Errorf("segment %q was deleted: %w", watched.ID, event.ErrNotFound))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// gone says what a client can do about changes that are not kept any more.
func gone(err error) error {
	if errors.Is(err, event.ErrNotFound) {
		return fmt.Errorf("begin anew with start MEMBERS: %w: %w", event.ErrExpired, err)
	}
	return err
}

// watch sends what is watched.
type watch struct {
	stream attunev1.SegmentService_WatchSegmentServer
	// number is that of the segment.
	number uint32
	// changes are not sent yet.
	changes []*attunev1.MembershipChange
}

// member sends one who is a member as the watch begins.
func (w *watch) member(userID string) error {
	w.changes = append(w.changes, &attunev1.MembershipChange{UserId: userID, Type: attunev1.MembershipChangeType_MEMBER})
	if len(w.changes) < membersAtOnce {
		return nil
	}
	return w.flush("")
}

// send sends the changes of a row, with the cursor after the last of them.
func (w *watch) send(changes []membership.Change, cursor membership.Cursor) error {
	for _, c := range changes {
		change := &attunev1.MembershipChange{UserId: c.UserID, Type: attunev1.MembershipChangeType_LEFT, OccurredAt: wire.Time(c.At)}
		if c.Entered {
			change.Type = attunev1.MembershipChangeType_ENTERED
		}
		w.changes = append(w.changes, change)
	}
	return w.flush(cursorText(w.number, cursor))
}

// flush sends what is not sent yet, with a cursor, "" for none; nothing where there is neither.
func (w *watch) flush(cursor string) error {
	if len(w.changes) == 0 && cursor == "" {
		return nil
	}
	err := w.stream.Send(&attunev1.WatchSegmentResponse{Changes: w.changes, Cursor: cursor})
	w.changes = nil
	return err
}

// cursorText returns a cursor that is good for one segment only.
func cursorText(number uint32, cursor membership.Cursor) string {
	return fmt.Sprintf("%d.%s", number, cursor)
}

// readCursor reads what cursorText returns. An error says that it is no such text.
func readCursor(text string, shards int) (number uint32, cursor membership.Cursor, err error) {
	first, rest, _ := strings.Cut(text, ".")
	of, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return 0, nil, err
	}
	cursor, err = membership.ParseCursor(rest, shards)
	return uint32(of), cursor, err
}
