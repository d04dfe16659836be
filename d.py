exec(open("/tmp/w/rv/a.py").read().split("# class singletons")[0])
from sklearn.model_selection import cross_val_score, GridSearchCV
from skmlp import presets, inspection
import skmlp, pickle, copy
print([n for n in dir(skmlp) if n[0].isupper()], inspection.__all__)
# sklearn callbacks
import sklearn; print(sklearn.__version__)
try:
    import sklearn.callback as cb; print([n for n in dir(cb) if n[0].isupper()])
    class Rec:
        pass
    m=MLPRegressor(random_state=0,hidden_layer_sizes=(4,))
    m.set_callbacks(cb.ProgressBar()) if hasattr(cb,"ProgressBar") else None
    m.fit(X,y); print("callback attrs", sorted(k for k in vars(m) if "call" in k))
    m2=MLPRegressor(random_state=0,hidden_layer_sizes=(4,))
    if hasattr(cb,"ScoringMonitor"):
        s=cb.ScoringMonitor(scoring="r2") ; m2.set_callbacks(s); m2.fit(X,y); print(type(s.get_logs()))
except Exception as e: traceback.print_exc()
from skmlp.inspection import *
t("check_gradient", lambda: str(inspection.check_gradient(MLPRegressor(random_state=0,hidden_layer_sizes=(4,4)),X,y))[:200])
t("check_gradient c", lambda: str(inspection.check_gradient(MLPClassifier(random_state=0,hidden_layer_sizes=(4,4)),X,c))[:200])
mm=MLPClassifier(random_state=0,hidden_layer_sizes=(4,)).fit(X,c); b=dict(vars(mm))
t("check_gradient fitted", lambda: str(inspection.check_gradient(mm,X,c))[:80])
print("vars unchanged:", vars(mm).keys()==b.keys() and all(vars(mm)[k] is b[k] for k in b), set(vars(mm))^set(b))
# preset small / multi
t("preset 60 rows", lambda: q(MLPClassifier,**presets.TABULAR_CLASSIFICATION).fit(X[:60],c[:60]).predict(X))
t("preset 15 rows", lambda: q(MLPRegressor,**presets.TABULAR_REGRESSION).fit(X[:15],y[:15]).predict(X))
t("preset hidden ()", lambda: q(MLPClassifier,**presets.TABULAR_CLASSIFICATION|{"hidden_layer_sizes":()}).fit(X,c))
p=presets.TABULAR_REGRESSION; 
t("gs", lambda: GridSearchCV(q(MLPRegressor),{"max_iter":["auto",3],"alpha":[0,1]},cv=2).fit(X,y).best_estimator_.predict(X))
t("gs lr", lambda: GridSearchCV(q(MLPRegressor),{"learning_rate_init":[.1,.01]},cv=2).fit(X,y).best_estimator_.predict(X))
# seeds of float
t("np types", lambda: MLPRegressor(max_iter=np.int64(3),learning_rate_init=np.float32(.1),n_iter_no_change=np.inf,random_state=0).fit(X,y).predict(X))
t("beta_2 None", lambda: MLPRegressor(beta_2=None).fit(X,y))
t("max_iter arr", lambda: MLPRegressor(max_iter=np.array([3])).fit(X,y))
t("batch_size str", lambda: MLPRegressor(batch_size="x").fit(X,y))
# failed fit unfitted; KeyboardInterrupt
class KI(Callback):
    def on_epoch_end(self,s): raise KeyboardInterrupt
m=MLPRegressor(callbacks=[KI()]); b=dict(vars(m))
try: m.fit(X,y)
except KeyboardInterrupt: print("unchanged", vars(m)==b)
# dropout list with given hidden
t("dropout list by hand", lambda: q(MLPRegressor,dropout=[.1,.2],max_iter=2).fit(X,y))
t("activation list <500", lambda: q(MLPRegressor,activation=["tanh","relu"]).fit(X[:100],y[:100]))
t("activation list 600", lambda: q(MLPRegressor,activation=["tanh","relu"]).fit(X,y))
t("dropout list 3 + act list 2", lambda: q(MLPRegressor,activation=["tanh","relu"],dropout=[.1,.1,.1]).fit(X,y))
t("classifier act prelu list", lambda: q(MLPClassifier,activation=["prelu"]).fit(X,c))
t("step act", lambda: q(MLPClassifier,activation="selu").fit(X,c))
t("init given", lambda: q(MLPRegressor,init="orthogonal").fit(X,y))
t("input ntk feature 0", lambda: q(MLPRegressor).fit(X[:,:1],y))
t("classweight", lambda: q(MLPClassifier,class_weight={0:0,1:1}).fit(X,c))
t("cw balanced", lambda: q(MLPClassifier,class_weight="balanced").fit(X,c))
t("hinge full", lambda: str(MLPClassifier(loss="hinge",random_state=0,hidden_layer_sizes=(8,)).fit(X,c).score(X,c)))
t("crammer full", lambda: str(MLPClassifier(loss="crammer_singer",random_state=0,hidden_layer_sizes=(8,)).fit(X,np.digitize(y,[-1,1])).score(X,np.digitize(y,[-1,1]))))
t("quantiles", lambda: MLPRegressor(loss="quantile",quantiles=[.1,.9],random_state=0,hidden_layer_sizes=(8,)).fit(X,y).predict(X).shape)
t("big y", lambda: str(MLPRegressor(random_state=0,hidden_layer_sizes=(16,)).fit(X,1e6*y).score(X,1e6*y)))
t("y counts poisson", lambda: str(MLPRegressor(loss="poisson",random_state=0,hidden_layer_sizes=(16,)).fit(X,np.random.default_rng(0).poisson(np.exp(3*X[:,0]))).loss_))
t("gamma wide", lambda: str(MLPRegressor(loss="gamma",random_state=0,hidden_layer_sizes=(16,)).fit(X,np.exp(4*X[:,0])).loss_))
