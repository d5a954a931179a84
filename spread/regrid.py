"""TEMPORARY"""
from types import SimpleNamespace
import numpy as np
from spread.operators import Sparse
def make_weights(source, target, method="conservative"):
    def overlap(a, b, f, period=None):
        a=np.sort(a,1); b=np.sort(b,1); out=np.zeros((len(b),len(a)))
        for k in ((-360,0,360) if period else (0,)):
            lo=np.maximum(a[None,:,0]+k,b[:,None,0]); hi=np.minimum(a[None,:,1]+k,b[:,None,1])
            out+=np.where(hi>lo,f(hi)-f(lo),0)
        return out/out.sum(1,keepdims=True)
    la=overlap(source.lat_bounds,target.lat_bounds,lambda x:np.sin(np.deg2rad(x)))
    lo=overlap(source.lon_bounds,target.lon_bounds,lambda x:x,360)
    from scipy.sparse import csr_matrix, kron
    m=kron(csr_matrix(la),csr_matrix(lo)).tocsr(); m.sort_indices()
    return SimpleNamespace(matrix=Sparse(m.indptr.astype(np.int64),m.indices.astype(np.int32),m.data,m.shape))
