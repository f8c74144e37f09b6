package segment

// The classes of buyers, by their scores.
const (
	Champions          = "champions"
	Loyal              = "loyal"
	PotentialLoyalists = "potential_loyalists"
	NewCustomers       = "new_customers"
	Promising          = "promising"
	NeedAttention      = "need_attention"
	AboutToSleep       = "about_to_sleep"
	AtRisk             = "at_risk"
	CantLose           = "cant_lose"
	Hibernating        = "hibernating"
	Lost               = "lost"
)

// Classes are all classes, the best first.
var Classes = []string{
	Champions, Loyal, PotentialLoyalists, NewCustomers, Promising, NeedAttention,
	AboutToSleep, AtRisk, CantLose, Hibernating, Lost,
}

// classes has the class of each recency, from 1 on, and each value, from 1 on.
var classes = [5][5]string{
	{Lost, Lost, AtRisk, AtRisk, CantLose},
	{Hibernating, Hibernating, AtRisk, AtRisk, CantLose},
	{AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal},
	{Promising, PotentialLoyalists, PotentialLoyalists, Loyal, Loyal},
	{NewCustomers, PotentialLoyalists, PotentialLoyalists, Champions, Champions},
}

// Class returns the class of a buyer by the scores, of 1 to 5 each; it is empty for others. It goes
// by the recency and the value, which is (frequency + monetary) / 2, a half rounded up:
//
//	          value 1        value 2              value 3              value 4    value 5
//	recency 5 new_customers  potential_loyalists  potential_loyalists  champions  champions
//	recency 4 promising      potential_loyalists  potential_loyalists  loyal      loyal
//	recency 3 about_to_sleep about_to_sleep       need_attention       loyal      loyal
//	recency 2 hibernating    hibernating          at_risk              at_risk    cant_lose
//	recency 1 lost           lost                 at_risk              at_risk    cant_lose
func Class(recency, frequency, monetary int) string {
	for _, score := range [...]int{recency, frequency, monetary} {
		if score < 1 || score > 5 {
			return ""
		}
	}
	return classes[recency-1][(frequency+monetary+1)/2-1]
}
