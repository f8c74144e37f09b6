package segment

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
)

// ruleOf returns the rule that a request gives, itself or by a template, of which there must be one,
// with its text. What is not valid is an *event.InvalidError.
func (s *Service) ruleOf(given string, template *attunev1.RuleTemplate) (text string, rule *segment.Rule, err error) {
	if (given == "") == (template == nil) {
		return "", nil, event.Invalid("rule", "must be given, or template, and not both")
	}
	if text = given; template != nil {
		if text, err = textOfTemplate(template); err != nil {
			return "", nil, err
		}
	}
	rule, err = s.options.Rules.Rule(text)
	return text, rule, err
}

// textOfTemplate fills a ready-made rule in.
func textOfTemplate(asked *attunev1.RuleTemplate) (string, error) {
	for _, t := range segment.Templates() {
		if t.Name != asked.GetName() {
			continue
		}
		parameters := make(map[string]any, len(asked.GetParameters()))
		for name, value := range asked.GetParameters() {
			parameters[name] = value.AsInterface()
		}
		text, err := t.Rule(parameters)
		return text, within("template", err)
	}
	return "", event.Invalid("template.name", "is not one of the templates: ListTemplates names them")
}

// ListTemplates answers the ready-made rules.
func (s *Service) ListTemplates(context.Context, *attunev1.ListTemplatesRequest) (*attunev1.ListTemplatesResponse, error) {
	response := &attunev1.ListTemplatesResponse{}
	for _, t := range segment.Templates() {
		template, err := describeTemplate(&t)
		if err != nil {
			return nil, err
		}
		response.Templates = append(response.Templates, template)
	}
	return response, nil
}

func describeTemplate(t *segment.Template) (*attunev1.Template, error) {
	described := &attunev1.Template{Name: t.Name, Description: t.Description}
	for _, p := range t.Parameters {
		parameter := &attunev1.TemplateParameter{Name: p.Name, Description: p.Description, Type: string(p.Kind), Min: p.Min, Max: p.Max, Choices: p.Choices}
		if p.Default != nil {
			value, err := structpb.NewValue(p.Default)
			if err != nil {
				return nil, fmt.Errorf("template %s: %s: %w", t.Name, p.Name, err)
			}
			parameter.Default = value
		}
		described.Parameters = append(described.Parameters, parameter)
	}
	return described, nil
}

// violationsOf returns those of an error, none where it is another.
func violationsOf(err error) []event.Violation {
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Violations
	}
	return nil
}

// within names the field that holds those which an error names.
func within(field string, err error) error {
	violations := violationsOf(err)
	for i := range violations {
		violations[i].Field = field + "." + violations[i].Field
	}
	return err
}
