# tanh(x) ~ x P(x^2)/Q(x^2), |x|<=c: Lawson on the linearized problem, in longdouble-ish (mpmath for truth not needed: float64)
import numpy as np
def fit(np_, nq, c, iters=400):
    x = np.cos(np.linspace(0, np.pi/2, 4001))[:-1]*c
    y = np.tanh(x)/x; z = x*x; zs = z/(c*c)
    A = np.concatenate([np.vander(zs, np_+1, increasing=True), -y[:,None]*np.vander(zs, nq+1, increasing=True)[:,1:]],1)
    w = np.ones(len(x)); q = np.ones(len(x)); best=None
    for _ in range(iters):
        s = w/(q*y)
        sol = np.linalg.lstsq(A*s[:,None], y*s, rcond=None)[0]
        P = np.vander(zs, np_+1, increasing=True)@sol[:np_+1]
        q = 1+np.vander(zs, nq+1, increasing=True)[:,1:]@sol[np_+1:]
        e = np.abs(P/q/y-1)
        if best is None or e.max()<best[0]: best=(e.max(), sol.copy())
        w = w*np.sqrt(e/e.max()+1e-3); w/=w.max()
    e,sol=best
    p = sol[:np_+1]/(c*c)**np.arange(np_+1); qq=np.r_[1,sol[np_+1:]]/(c*c)**np.arange(nq+1)
    return e,p,qq
for np_,nq in ((4,3),(4,4),(5,3),(5,4),(6,3)):
    for c in (9.01,):
        e,p,q=fit(np_,nq,c); print(np_,nq,c,e)
        pf=p.astype(np.float32); qf=q.astype(np.float32)
        xs=np.linspace(1e-4,c,2000001).astype(np.float32); z=(xs*xs).astype(np.float32)
        def horner(cf):
            r=np.full_like(z,cf[-1])
            for k in cf[-2::-1]: r=(r.astype(np.float64)*z+k).astype(np.float32)
            return r
        P=(horner(pf)*xs).astype(np.float32); Q=horner(qf); y=(P/Q).astype(np.float32)
        t=np.tanh(xs.astype(np.float64)); ulp=np.abs(y-t)/np.spacing(t.astype(np.float32)).astype(np.float64)
        print('  ulp',ulp.max(), 'at', xs[ulp.argmax()], 'max value', y.max(), list(map(float,pf)), list(map(float,qf)))
