package datasets

import "github.com/attune-shop/attune/model/cf/eval"

// Published is a row of a published table.
type Published struct {
	Model string
	// Recomputed says that the figures were computed again on these files, for want of
	// published ones or beside them.
	Recomputed bool
	Metrics    map[string]float64
}

// publishedMovieLens is from recommenders-team/recommenders,
// examples/06_benchmarks/movielens.ipynb.
var publishedMovieLens = []Published{
	movieLensRow("popularity", true, .0560, .2523, .2287, .1132),
	movieLensRow("NCF", false, .0952, .3686, .3269, .1632),
	movieLensRow("SAR", false, .1140, .3938, .3406, .1854),
	movieLensRow("LightGCN", false, .1209, .4164, .3592, .1960),
	movieLensRow("BPR", false, .1340, .4450, .3887, .2166),
	movieLensRow("BiVAE", false, .1436, .4687, .4082, .2209),
}

func movieLensRow(model string, recomputed bool, precisionMean, ndcg, precision, recall float64) Published {
	return Published{Model: model, Recomputed: recomputed, Metrics: map[string]float64{
		eval.MAP.At(10): precisionMean, eval.NDCG.At(10): ndcg, eval.Precision.At(10): precision, eval.Recall.At(10): recall,
	}}
}

// publishedGowalla is from openbenchmark/BARS, leaderboard gowalla_m1.
var publishedGowalla = []Published{
	gowallaRow("popularity", .0416, .0317),
	gowallaRow("ItemCF", .1570, .1214),
	gowallaRow("MF-BPR", .1627, .1378),
	gowallaRow("SLIM", .1699, .1382),
	gowallaRow("EASE", .1765, .1467),
	gowallaRow("LightGCN", .1820, .1547),
	gowallaRow("GF-CF", .1849, .1518),
	gowallaRow("UltraGCN", .1862, .1580),
	gowallaRow("SimpleX", .1872, .1557),
}

func gowallaRow(model string, recall, ndcg float64) Published {
	return Published{Model: model, Metrics: map[string]float64{eval.Recall.At(20): recall, eval.NDCG.At(20): ndcg}}
}

// publishedYoochoose is from rn5l/session-rec, docs/tables_single/tables_rsc15_64.html, and
// GRU4Rec and SR-GNN from the paper on the latter (Wu and others, 2019).
var publishedYoochoose = []Published{
	yoochooseRow("SKNN", false, .6423, .2522),
	yoochooseRow("Markov", false, .6476, .2983),
	yoochooseRow("Markov", true, .6471, .2973),
	yoochooseRow("AR", false, .6652, .2862),
	yoochooseRow("SR", false, .6674, .3033),
	yoochooseRow("VSKNN", false, .6961, .2879),
	yoochooseRow("NARM", false, .6998, .2957),
	yoochooseRow("GRU4Rec", false, .6064, .2289),
	yoochooseRow("SR-GNN", false, .7057, .3094),
}

func yoochooseRow(model string, recomputed bool, hitRate, mrr float64) Published {
	return Published{Model: model, Recomputed: recomputed, Metrics: map[string]float64{eval.HitRate.At(20): hitRate, eval.MRR.At(20): mrr}}
}
